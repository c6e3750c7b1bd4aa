"""Seeds the local cloud. Usage: seed.py identity|resources on an empty state."""

import json
import pathlib
import sys
import time

import openstack

API = "172.24.4.1"
SERVICES = {
    "nova": ("compute", f"http://{API}:8774/v2.1"),
    "glance": ("image", f"http://{API}:9292"),
    "placement": ("placement", f"http://{API}:8778"),
    "neutron": ("network", f"http://{API}:9696"),
    "rgw": ("object-store", f"http://{API}:7480/swift/v1"),
}
PROJECTS = ["demo", "backups-owner", "backups-writer", "backups-keeper"]
# name: (vCPUs, MiB of memory, GiB of disk)
FLAVORS = {"s1": (1, 512, 3), "s2": (1, 1024, 5)}
FACTS = pathlib.Path("/var/lib/local-cloud/projects.json")
KERNEL_ARGUMENTS = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off quiet"


def connect() -> openstack.connection.Connection:
    return openstack.connect(
        auth_url=f"http://{API}:5000/v3",
        username="admin",
        password="local",
        project_name="admin",
        user_domain_id="default",
        project_domain_id="default",
        region_name="RegionOne",
    )


def seed_identity(cloud: openstack.connection.Connection) -> None:
    identity = cloud.identity
    roles = {role.name: role for role in identity.roles()}
    roles["service"] = roles.get("service") or identity.create_role(name="service")
    service_project = identity.create_project(name="service", domain_id="default")
    for name, (kind, url) in SERVICES.items():
        user = identity.create_user(
            name=name, password="local", domain_id="default", default_project_id=service_project.id
        )
        for role in ("admin", "service"):
            identity.assign_project_role_to_user(service_project, user, roles[role])
        service = identity.create_service(name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(
                service_id=service.id, interface=interface, url=url, region_id="RegionOne"
            )
    projects = [identity.create_project(name=name, domain_id="default") for name in PROJECTS]
    demo = identity.create_user(
        name="demo", password="demo", domain_id="default", default_project_id=projects[0].id
    )
    for project in projects:
        identity.assign_project_role_to_user(project, demo, roles["member"])
    ids = {project.name.removeprefix("backups-"): project.id for project in projects[1:]}
    FACTS.parent.mkdir(parents=True, exist_ok=True)
    FACTS.write_text(json.dumps(ids))


def seed_resources(cloud: openstack.connection.Connection) -> None:
    for name, (vcpus, ram, disk) in FLAVORS.items():
        cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)
    upload = {"visibility": "public", "wait": True}
    kernel = cloud.create_image(
        "debian-12-kernel", filename="/srv/image/vmlinuz", disk_format="aki", container_format="aki", **upload
    )
    initrd = cloud.create_image(
        "debian-12-initrd", filename="/srv/image/initrd", disk_format="ari", container_format="ari", **upload
    )
    image = cloud.create_image(
        "debian-12",
        filename="/srv/image/disk.qcow2",
        disk_format="qcow2",
        container_format="bare",
        kernel_id=kernel.id,
        ramdisk_id=initrd.id,
        os_command_line=KERNEL_ARGUMENTS,
        hw_rng_model="virtio",
        **upload,
    )
    public = cloud.network.create_network(
        name="public",
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="public",
    )
    cloud.network.create_subnet(
        name="public",
        network_id=public.id,
        ip_version=4,
        cidr="172.24.4.0/24",
        gateway_ip="172.24.4.1",
        is_dhcp_enabled=False,
        allocation_pools=[{"start": "172.24.4.10", "end": "172.24.4.200"}],
    )
    cloud.network.create_subnet(
        name="public-ipv6",
        network_id=public.id,
        ip_version=6,
        cidr="fd00:172:24:4::/64",
        gateway_ip="fd00:172:24:4::1",
        is_dhcp_enabled=False,
        allocation_pools=[{"start": "fd00:172:24:4::1000", "end": "fd00:172:24:4::1fff"}],
    )
    make_image_ready(cloud, image.id)


def make_image_ready(cloud: openstack.connection.Connection, image: str) -> None:
    """Starts and deletes one guest, so that nova keeps the image unpacked for those that follow."""
    compute = cloud.compute
    flavor = compute.find_flavor("s1")
    deadline = time.monotonic() + 90
    while not any(host.state == "up" for host in compute.hypervisors(details=True)):
        if time.monotonic() > deadline:
            raise SystemExit("nova-compute registered no hypervisor within 90 s")
        time.sleep(1)
    server = compute.create_server(
        name="make-image-ready", image_id=image, flavor_id=flavor.id, networks="none"
    )
    compute.wait_for_server(server, status="ACTIVE", interval=1, wait=180)
    compute.delete_server(server)
    compute.wait_for_delete(server, interval=1, wait=60)


if __name__ == "__main__":
    {"identity": seed_identity, "resources": seed_resources}[sys.argv[1]](connect())
