#!/usr/bin/env bash

#OAR -n asktell-toy-4d8120
#OAR -l /nodes=1/core=1
#OAR -O /scratch/ada/toy.study/jobs/%jobid%.log
#OAR -E /scratch/ada/toy.study/jobs/%jobid%.log

exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 0.0B --study /scratch/ada/toy.study --workers 1
