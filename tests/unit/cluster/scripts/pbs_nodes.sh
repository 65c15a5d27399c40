#!/usr/bin/env bash

#PBS -N at-toy-4d8120
#PBS -q long
#PBS -A ab12
#PBS -l nodes=1:ppn=8:gpus=2,mem=16384mb
#PBS -l walltime=26:00:00
#PBS -j oe
#PBS -o /scratch/ada/toy.study/jobs/
#PBS -r n
exec > /scratch/ada/toy.study/jobs/"$PBS_JOBID".log 2>&1
module load python
export OMP_PLACES=cores
exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 16.00GiB --local-directory "$TMPDIR/asktell" --study /scratch/ada/toy.study --workers 2 --interface ib0
