#!/usr/bin/env bash

#PBS -N at-toy-4d8120
#PBS -l select=1:ncpus=8:mpiprocs=8
#PBS -j oe
#PBS -o /scratch/ada/toy.study/jobs/
#PBS -r n
exec > /scratch/ada/toy.study/jobs/"$PBS_JOBID".log 2>&1
exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 0.0B --study /scratch/ada/toy.study --workers 1
