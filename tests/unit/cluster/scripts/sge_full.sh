#!/usr/bin/env bash

#$ -N asktell-toy-4d8120
#$ -q long
#$ -P ab12
#$ -l h_vmem=2048M
#$ -l h_rt=26:00:00
#$ -cwd
#$ -j y
#$ -pe openmp 8
#$ -o /scratch/ada/toy.study/jobs/$JOB_ID.log
#$ -r n
#$ -l gpu=2
module load python
export OMP_PLACES=cores
exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 16.00GiB --local-directory "$TMPDIR/asktell" --study /scratch/ada/toy.study --workers 2 --interface ib0
