#!/usr/bin/env bash

#$ -N asktell-toy-4d8120
#$ -cwd
#$ -j y
#$ -pe smp 1
#$ -o /scratch/ada/toy.study/jobs/$JOB_ID.log
#$ -r n

exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 0.0B --study /scratch/ada/toy.study --workers 1
