#!/usr/bin/env bash

#BSUB -J asktell-toy-4d8120
#BSUB -q long
#BSUB -P "ab12"
#BSUB -n 8
#BSUB -R "span[hosts=1]"
#BSUB -M 17180
#BSUB -W 26:00
#BSUB -o /scratch/ada/toy.study/jobs/%J.log
#BSUB -gpu "num=2"
module load python
export OMP_PLACES=cores
exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 16.00GiB --local-directory "$TMPDIR/asktell" --study /scratch/ada/toy.study --workers 2 --interface ib0
