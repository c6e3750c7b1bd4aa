"""Proves the local cloud as a stack would use it. Usage: check.py s3|guest …

s3: identities, versioning, policy; guest: cloud-init, floating IP, security group. Everything is made as user demo and deleted again. The exit code says whether all held.
"""

import base64
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import boto3
import openstack
from botocore.client import Config
from botocore.exceptions import ClientError

API = "172.24.4.1"
S3 = f"http://{API}:7480"
REGION = "eu-central-1"
NAME = "local-cloud-check"
PROJECTS = ("backups-owner", "backups-writer", "backups-keeper")
# Alone on two cores an emulated guest takes about a minute; a busy machine many times that.
SECONDS_TO_SSH = 600


def connect(project: str) -> openstack.connection.Connection:
    return openstack.connect(
        auth_url=f"http://{API}:5000/v3",
        username="demo",
        password="demo",
        project_name=project,
        user_domain_id="default",
        project_domain_id="default",
        region_name="RegionOne",
    )


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    print(f"  {time.monotonic() - begin:5.1f} s  {text}", flush=True)


def expect(held: bool, what: str) -> None:
    if not held:
        raise SystemExit(f"local-cloud: the check failed: {what}")


def refused(call, **arguments: object) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return False


@contextlib.contextmanager
def s3_client(project: str) -> Iterator[tuple[str, object]]:
    """The project's id and an S3 client with new EC2 credentials of it, which end with the block."""
    cloud = connect(project)
    url = f"http://{API}:5000/v3/users/{cloud.current_user_id}/credentials/OS-EC2"
    answer = cloud.session.post(url, json={"tenant_id": cloud.current_project_id})
    keys = answer.json()["credential"]
    try:
        yield cloud.current_project_id, boto3.client(
            "s3",
            endpoint_url=S3,
            region_name=REGION,
            aws_access_key_id=keys["access"],
            aws_secret_access_key=keys["secret"],
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )
    finally:
        cloud.session.delete(f"{url}/{keys['access']}")


def check_s3() -> None:
    with contextlib.ExitStack() as stack:
        (_, owner), (writer_id, writer), (_, keeper) = [
            stack.enter_context(s3_client(project)) for project in PROJECTS
        ]
        ids = {client.list_buckets()["Owner"]["ID"] for client in (owner, writer, keeper)}
        expect(len(ids) == 3, f"three projects are three S3 identities, not {ids}")
        owner.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
        try:
            owner.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
            expect(refused(writer.list_objects_v2, Bucket=NAME), "the writer may list before the policy allows it")
            allow = {
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:aws:iam::{writer_id}:root"]},
                "Action": ["s3:PutObject", "s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{NAME}/*"],
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
            owner.put_bucket_policy(Bucket=NAME, Policy=policy)
            writer.put_object(Bucket=NAME, Key="x", Body=b"x")
            expect(refused(writer.delete_object, Bucket=NAME, Key="x"), "the writer may delete")
            expect(refused(keeper.get_object, Bucket=NAME, Key="x"), "the keeper may read")
        finally:
            for version in owner.list_object_versions(Bucket=NAME).get("Versions", []):
                owner.delete_object(Bucket=NAME, Key=version["Key"], VersionId=version["VersionId"])
            owner.delete_bucket(Bucket=NAME)


def ssh(directory: pathlib.Path, address: str, command: str) -> subprocess.CompletedProcess[str]:
    options = {
        "IdentityFile": directory / "client",
        "UserKnownHostsFile": directory / "known_hosts",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "10",
    }
    flags = [flag for name, value in options.items() for flag in ("-o", f"{name}={value}")]
    return subprocess.run(
        ["ssh", *flags, f"debian@{address}", command], capture_output=True, text=True, timeout=60, check=False
    )


def make_key(directory: pathlib.Path, name: str) -> tuple[str, str]:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", directory / name], check=True
    )
    return (directory / name).read_text(), (directory / f"{name}.pub").read_text().strip()


def rule(cloud: openstack.connection.Connection, group: str, direction: str, port: int, cidr: str) -> None:
    cloud.network.create_security_group_rule(
        security_group_id=group,
        direction=direction,
        ether_type="IPv4",
        protocol="tcp",
        port_range_min=port,
        port_range_max=port,
        remote_ip_prefix=cidr,
    )


def check_guest(directory: pathlib.Path, undo: contextlib.ExitStack) -> None:
    cloud = connect("demo")
    network, compute = cloud.network, cloud.compute
    private, public = make_key(directory, "host")
    _, client = make_key(directory, "client")
    user_data = "#cloud-config\n" + json.dumps(
        {
            "hostname": "checked",
            "ssh_deletekeys": True,
            "ssh_keys": {"ed25519_private": private, "ed25519_public": public},
            "ssh_authorized_keys": [client],
            "write_files": [{"path": "/etc/marker", "content": "written by cloud-init", "permissions": "0600"}],
        }
    )
    with step("network, router, security group, floating IP"):
        external = network.find_network("public")
        group = network.create_security_group(name=NAME)
        undo.callback(network.delete_security_group, group)
        for old in network.security_group_rules(security_group_id=group.id):
            network.delete_security_group_rule(old)
        rule(cloud, group.id, "ingress", 22, "172.24.4.0/24")
        rule(cloud, group.id, "egress", 7480, f"{API}/32")
        net = network.create_network(name=NAME)
        undo.callback(network.delete_network, net)
        subnet = network.create_subnet(name=NAME, network_id=net.id, ip_version=4, cidr="10.99.0.0/24")
        router = network.create_router(name=NAME, external_gateway_info={"network_id": external.id})
        undo.callback(network.delete_router, router)
        network.add_interface_to_router(router, subnet_id=subnet.id)
        undo.callback(network.remove_interface_from_router, router, subnet_id=subnet.id)
        port = network.create_port(network_id=net.id, security_group_ids=[group.id], name=NAME)
        undo.callback(network.delete_port, port)
        floating = network.create_ip(floating_network_id=external.id, port_id=port.id)
        undo.callback(network.delete_ip, floating)
    address = floating.floating_ip_address
    (directory / "known_hosts").write_text(f"{address} {public}\n")
    with step("guest to its first ssh login, with the host key it was given"):
        server = compute.create_server(
            name=NAME,
            image_id=cloud.image.find_image("debian-12").id,
            flavor_id=compute.find_flavor("s1").id,
            networks=[{"port": port.id}],
            user_data=base64.b64encode(user_data.encode()).decode(),
        )
        undo.callback(compute.wait_for_delete, server, interval=1, wait=60)
        undo.callback(compute.delete_server, server)
        deadline = time.monotonic() + SECONDS_TO_SSH
        while (login := ssh(directory, address, "true")).returncode != 0:
            state = compute.get_server(server.id)
            expect(state.status != "ERROR", f"the guest is in ERROR: {state.to_dict().get('fault')}")
            expect(time.monotonic() < deadline, f"no login within {SECONDS_TO_SSH} s: {login.stderr}")
            time.sleep(1)
    with step("cloud-init has finished"):
        done = ssh(directory, address, "sudo timeout 50 cloud-init status --wait")
        expect("done" in done.stdout, f"cloud-init status: {done.stdout} {done.stderr}")
    told = ssh(directory, address, "hostname && sudo cat /etc/marker").stdout
    expect(told == "checked\nwritten by cloud-init", f"cloud-init did what user data says, not {told!r}")
    with step("what the security group allows and refuses"):
        probe = "curl -s -o /dev/null --max-time 5 -w '%{{http_code}}' http://{}/"
        allowed = ssh(directory, address, probe.format(f"{API}:7480")).stdout
        expect(allowed == "200", f"the guest reaches S3, but: {allowed}")
        denied = ssh(directory, address, probe.format(f"{API}:8088")).stdout
        expect(denied == "000", f"the guest must not reach port 8088, but: {denied}")
        rule(cloud, group.id, "egress", 8088, f"{API}/32")
        deadline = time.monotonic() + 30
        while ssh(directory, address, probe.format(f"{API}:8088")).stdout != "200":
            expect(time.monotonic() < deadline, "a new egress rule is in force within 30 s")


def main() -> None:
    if "s3" in sys.argv:
        with step("three S3 identities, versioning, policy"):
            check_s3()
    if "guest" in sys.argv:
        with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as undo:
            check_guest(pathlib.Path(name), undo)


if __name__ == "__main__":
    main()
