#!/usr/bin/env bash

#SBATCH -J asktell-toy-4d8120
#SBATCH -p long
#SBATCH -A ab12
#SBATCH -n 1
#SBATCH --cpus-per-task=8
#SBATCH --mem=16384M
#SBATCH -t 26:00:00
#SBATCH -o /scratch/ada/toy.study/jobs/%j.log
#SBATCH --no-requeue
#SBATCH --gres=gpu:2
#SBATCH --constraint='[rack1|rack2]'
#SBATCH --signal=B:USR1@90
module load python
export OMP_PLACES=cores
exec /opt/env/bin/python -m asktell.job tls://10.0.0.1:8786 --name worker-7 --nthreads 1 --memory-limit 16.00GiB --local-directory "$TMPDIR/asktell" --study /scratch/ada/toy.study --workers 2 --interface ib0
