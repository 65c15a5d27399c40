"""dask workers that listen nowhere but where tasks come in."""

from __future__ import annotations

from typing import Any

from distributed import Nanny, Worker


class QuietWorker(Worker):
    """A worker without an HTTP server: dask's listens on every interface, unencrypted."""

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """Start none."""


class QuietNanny(Nanny):
    """The parent of a quiet worker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "worker_class": QuietWorker})
