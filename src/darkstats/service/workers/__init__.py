"""Who answers: processes that claim jobs and blocks from the store, and may die at any time."""
