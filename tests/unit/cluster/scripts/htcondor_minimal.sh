#!/usr/bin/env condor_submit

MY.DaskWorkerName = "htcondor--$F(MY.JobId)--"
batch_name = asktell-toy-4d8120
RequestCpus = MY.DaskWorkerCores
RequestDisk = floor(MY.DaskWorkerDisk / 1024)
MY.JobId = "$(ClusterId).$(ProcId)"
MY.DaskWorkerCores = 1
MY.DaskWorkerDisk = 1000000000
Output = /scratch/ada/toy.study/jobs/$(ClusterId).$(ProcId).log
Error = /scratch/ada/toy.study/jobs/$(ClusterId).$(ProcId).err

Arguments = "-c 'exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 0.0B --study /scratch/ada/toy.study --workers 1'"
Executable = /bin/sh

Queue
