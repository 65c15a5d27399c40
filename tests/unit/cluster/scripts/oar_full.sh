#!/usr/bin/env bash

#OAR -n asktell-toy-4d8120
#OAR -q long
#OAR --project ab12
#OAR -l /nodes=1/core=8,walltime=26:00:00
#OAR -O /scratch/ada/toy.study/jobs/%jobid%.log
#OAR -E /scratch/ada/toy.study/jobs/%jobid%.log
#OAR -p memcore>=2048
module load python
export OMP_PLACES=cores
exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 2.00GiB --local-directory "$TMPDIR/asktell" --study /scratch/ada/toy.study --workers 2 --interface ib0
