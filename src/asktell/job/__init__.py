"""What runs inside a batch job: `python -m asktell.job ADDRESS --study DIR --workers N ...`

    __main__      the job's first process: its command line                         (standard library only)
    crew          starts a process per slot, hears signals, leaves last words       (standard library only)
    allocation    which job this is and when it ends, as the batch system says      (standard library only)
    slot          one process: a dask worker that may outlive its driver
    afterwards    what a worker does that has lost its driver

Many jobs start at once, and all of them read their modules from one shared file system: the first process
imports next to nothing.
"""
