#!/usr/bin/env condor_submit

MY.DaskWorkerName = "htcondor--$F(MY.JobId)--"
batch_name = asktell-toy-4d8120
RequestCpus = MY.DaskWorkerCores
RequestMemory = floor(MY.DaskWorkerMemory / 1048576)
MY.JobId = "$(ClusterId).$(ProcId)"
MY.DaskWorkerCores = 8
MY.DaskWorkerMemory = 17179869184
MY.DaskWorkerDisk = 10000000000
Output = /scratch/ada/toy.study/jobs/$(ClusterId).$(ProcId).log
Error = /scratch/ada/toy.study/jobs/$(ClusterId).$(ProcId).err
accounting_group = ab12
allowed_job_duration = 93600
request_gpus = 2
+Flavour = 7

Arguments = "-c 'module load python; export OMP_PLACES=cores; exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 2.00GiB --local-directory ""$TMPDIR/asktell"" --study /scratch/ada/toy.study --workers 2 --interface ib0'"
Executable = /bin/sh

Queue
