"""Bundles: a likelihood with all that a reader of its paper needs, and their verification.

A bundle is a folder of plain files under a manifest (schema ``darkstats.bundle/1``) that names each
of them with size and SHA-256. What can be made again of the others, such as tables, is made again
when a bundle is verified; what is read of a bundle never leads out of its folder.
"""
