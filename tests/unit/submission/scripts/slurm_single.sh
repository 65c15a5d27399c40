#!/bin/bash
# The driver of study toy: asks for points, starts the workers' jobs and, 300 s before its walltime,
# submits this file again.
#SBATCH --job-name=asktell-toy-4d8120-driver
#SBATCH --output=/scratch/ada/toy.study/logs/driver-job-%j.log
#SBATCH --open-mode=append
#SBATCH --time=48:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --ntasks=5
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=2048M
#SBATCH --gpus=8
#SBATCH --constraint='[rack1|rack2]'
#SBATCH --partition=serial
#SBATCH --account=cd34
#SBATCH --qos=long

module load python
export OMP_PLACES=cores
trap '' USR1  # Python will listen; the signal must not kill what starts it
exec /opt/env/bin/python -m asktell resume /scratch/ada/toy.study --hand-over
