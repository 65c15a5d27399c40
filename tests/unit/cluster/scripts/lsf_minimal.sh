#!/usr/bin/env bash

#BSUB -J asktell-toy-4d8120
#BSUB -n 1
#BSUB -o /scratch/ada/toy.study/jobs/%J.log

exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 0.0B --study /scratch/ada/toy.study --workers 1
