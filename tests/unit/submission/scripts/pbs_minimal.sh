#!/bin/bash
# The driver of study toy: asks for points, starts the workers' jobs and, 120 s before its walltime,
# submits this file again.
#PBS -N ad-toy-4d8120
#PBS -j oe
#PBS -o /dev/null
#PBS -l walltime=24:00:00
#PBS -l select=1:ncpus=1:mem=2048mb

# PBS would show what is written only when the job has ended.
exec >>/scratch/ada/toy.study/logs/driver-job-"$PBS_JOBID.log" 2>&1
exec /opt/env/bin/python -m asktell resume /scratch/ada/toy.study --hand-over
