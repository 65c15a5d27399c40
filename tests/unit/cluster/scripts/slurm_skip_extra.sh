#!/usr/bin/env bash

#SBATCH -J asktell-toy-4d8120
#SBATCH -n 1
#SBATCH --cpus-per-task=1
#SBATCH -t 00:01:30
#SBATCH -o /scratch/ada/toy.study/jobs/%j.log
#SBATCH --no-requeue
#SBATCH --mem-per-cpu=512M
#SBATCH --qos=long

exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 1.00GiB --study /scratch/ada/toy.study --workers 1
