#!/bin/bash
# The driver of study toy: asks for points, starts the workers' jobs and, 120 s before its walltime,
# submits this file again.
#$ -N asktell-toy-4d8120-driver
#$ -S /bin/bash
#$ -j y
#$ -o /dev/null
#$ -l h_rt=24:00:00
#$ -l h_vmem=2048M

exec >>/scratch/ada/toy.study/logs/driver-job-"$JOB_ID.log" 2>&1
exec /opt/env/bin/python -m asktell resume /scratch/ada/toy.study --hand-over
