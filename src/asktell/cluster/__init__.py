"""Where dask workers come from. The only place that knows a scheduler's commands."""
