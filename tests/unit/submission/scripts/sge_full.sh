#!/bin/bash
# The driver of study toy: asks for points, starts the workers' jobs and, 300 s before its walltime,
# submits this file again.
#$ -N asktell-toy-4d8120-driver
#$ -S /bin/bash
#$ -j y
#$ -o /dev/null
#$ -l h_rt=48:00:00
#$ -pe smp 2
#$ -l h_vmem=1536M
#$ -q serial
#$ -P cd34
#$ -m e

exec >>/scratch/ada/toy.study/logs/driver-job-"$JOB_ID.log" 2>&1
module load python
export OMP_PLACES=cores
exec /opt/env/bin/python -m asktell resume /scratch/ada/toy.study --hand-over
