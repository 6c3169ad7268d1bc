"""Work in blocks: one pure function for each block, run anywhere, kept as it comes.

A job is what a result depends on, as plain data: inputs, settings, and a number of blocks. A block
is a pure function of its job and its number, so any executor, with any number of workers, in any
order, gives the same result, and a block that is lost is run again.

Use :mod:`processes` on one machine, :mod:`dask_cluster` where a Dask scheduler runs, and
:mod:`store` with batch systems: shards of a job write into folders, and merging them checks that
nothing is missing, different or foreign.
"""
