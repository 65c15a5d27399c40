#!/usr/bin/env bash

#SBATCH -J asktell-toy-4d8120
#SBATCH --mem=954M
#SBATCH -o /scratch/ada/toy.study/jobs/%j.log
#SBATCH --no-requeue
#SBATCH -n 2
#SBATCH --cpus-per-task=1

exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 0.93GiB --study /scratch/ada/toy.study --workers 1
