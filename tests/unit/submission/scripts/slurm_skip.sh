#!/bin/bash
# The driver of study toy: asks for points, starts the workers' jobs and, 120 s before its walltime,
# submits this file again.
#SBATCH --job-name=asktell-toy-4d8120-driver
#SBATCH --output=/scratch/ada/toy.study/logs/driver-job-%j.log
#SBATCH --open-mode=append
#SBATCH --time=24:00:00
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1

trap '' USR1  # Python will listen; the signal must not kill what starts it
exec /opt/env/bin/python -m asktell resume /scratch/ada/toy.study --hand-over
