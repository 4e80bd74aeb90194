"""A copick project that lies elsewhere, written and fetched by copick's own library in an interpreter of its own.

    python copick_far.py memory|s3|ssh FOLDER

S3 is moto's server and SSH asyncssh's, both on the loopback. Prints what was fetched; ends with 77 where their packages are missing.
"""
import asyncio
import json
import os
import sys
import threading
from pathlib import Path

OBJECTS = [{"name": "ribosome", "is_particle": True, "label": 1, "radius": 150}, {"name": "membrane", "is_particle": False, "label": 2}]
MISSING = 77


def s3(folder):
    """Root of a bucket and what the library needs to reach it."""
    import boto3
    import s3fs  # noqa: F401, what reaches it
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client("s3", endpoint_url=url, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1")
    client.create_bucket(Bucket="copick")
    return "s3://copick/project", {"key": "key", "secret": "secret", "endpoint_url": url}


def ssh(folder):
    """Root of a folder behind an SFTP server that lets everybody in."""
    import asyncssh
    import sshfs  # noqa: F401, what reaches it

    class Open(asyncssh.SSHServer):
        def begin_auth(self, username):
            return False

    port, ready = [], threading.Event()

    async def serve():
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.create_server(Open, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=True)
        port.append(server.get_port())
        ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    ready.wait()
    (folder / "there").mkdir()
    return f"ssh://{folder}/there", {"host": "127.0.0.1", "port": port[0], "username": "anybody", "known_hosts": None}


def write_project(config):
    """Two runs with two tomograms each, one pick, one mask."""
    import copick
    import numpy as np
    from copick.models import CopickLocation, CopickPoint

    root = copick.from_file(str(config))
    for name in ("TS_01", "TS_02"):
        run = root.new_run(name)
        for size in (10.0, 20.0):
            run.new_voxel_spacing(size).new_tomogram("wbp").from_numpy(np.arange(64 * 10 * 12, dtype=np.float32).reshape(64, 10, 12) + size)
        picks = run.new_picks("ribosome", "7", "carol")
        picks.points = [CopickPoint(location=CopickLocation(x=10.0, y=20.0, z=30.0), score=0.5)]
        picks.store()
        mask = np.zeros((64, 10, 12), dtype=np.uint8)
        mask[5] = 1
        run.new_segmentation(10.0, "membrane", "7", False, "carol").from_numpy(mask)


def main(kind, folder):
    try:
        root, reached_by = {"s3": s3, "ssh": ssh, "memory": lambda folder: ("memory://p", {})}[kind](folder)
    except ImportError as error:
        print(error, file=sys.stderr)
        return MISSING
    (folder / "c.json").write_text(json.dumps({
        "config_type": "filesystem", "name": "far", "version": "1.0.0", "user_id": "carol", "session_id": "7", "overlay_root": root,
        "overlay_fs_args": reached_by, "pickable_objects": OBJECTS}))
    write_project(folder / "c.json")
    from cryoetseg.core.interchange.copick_fetch import fetch

    for _ in range(2):
        rows = fetch(f"copick:{folder / 'c.json'}?wbp@10&run=TS_0[2-9]", folder / "here")
    print(json.dumps(rows), flush=True)
    return 0


if __name__ == "__main__":
    os._exit(main(sys.argv[1], Path(sys.argv[2])))  # servers and connections do not keep it alive
