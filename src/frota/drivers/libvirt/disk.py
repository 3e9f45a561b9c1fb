"""The VM's own disk and its cloud-init seed, made on the shared storage by a host.

Both go through the host's libvirt (its storage API), because a controller need not have
the storage mounted. The disk is a qcow2 overlay on the group's image: made once, never
again, since it holds all the VM ever wrote. The seed is written anew at every start.

The seed is an ISO 9660 image with the label ``cidata``, as cloud-init's NoCloud source
wants it. pycdlib makes it, in memory and in this process: genisoimage would be one more
program to install on every controller, and has had no upkeep for years.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import secrets
from xml.etree.ElementTree import Element, SubElement, tostring

from frota.drivers.libvirt.document import parse
from frota.drivers.libvirt.fault import Fault, Kind, Refused
from frota.drivers.libvirt.session import Session
from frota.drivers.libvirt.storage import Pool, Volume
from frota.model.definition import Definition

_GIB = 1024**3


def ensure_disk(session: Session, definition: Definition) -> None:
    """Make the VM's overlay, unless it is there. Raises ``Fault`` and ``Refused``."""
    if not (definition.image and definition.disk):
        return
    pool, name = _place(session, definition.disk)
    volume = pool.volume(name)
    if volume is not None:
        _must_be_qcow2(volume, definition.disk)
        return
    _must_fit(session, definition)
    try:
        pool.make(_overlay_xml(definition, name))
    except Fault as fault:
        if fault.kind is not Kind.EXISTS:
            raise


def _must_fit(session: Session, definition: Definition) -> None:
    pool, name = _place(session, definition.image)
    image = pool.volume(name)
    if image is None:
        raise Refused(f"the image {definition.image} is not there on this host")
    _must_be_qcow2(image, definition.image)
    needed = -(-_capacity(image) // _GIB)
    if 0 < definition.disk_gib < needed:
        raise Refused(
            f"a disk of {definition.disk_gib} GiB is smaller than its image "
            f"{definition.image}: it takes {needed} GiB"
        )


def _must_be_qcow2(volume: Volume, path: str) -> None:
    form = parse(volume.xml()).find("target/format")
    if form is None or form.get("type") != "qcow2":
        raise Refused(
            f"{path} is no qcow2 image: it may hold somebody's data, or be what an interrupted "
            "start left behind; move it away, delete it or convert it"
        )


def ensure_seed(session: Session, definition: Definition) -> None:
    """Write the VM's cloud-init seed. Raises ``Fault``."""
    if not definition.seed:
        return
    image = seed_image(definition)
    pool, name = _place(session, definition.seed)
    volume = pool.volume(name)
    if volume is not None and _capacity(volume) != len(image):
        volume.delete()
        volume = None
    if volume is None:
        volume = pool.make(_file_xml(name, len(image)))
    volume.write(image)


def seed_image(definition: Definition) -> bytes:
    """An ISO 9660 image with ``user-data`` and ``meta-data``. Without meta-data, the VM's
    name is its instance id and host name: cloud-init runs once for each VM."""
    from pycdlib import PyCdlib  # here, because it is slow to import and few groups use seeds

    meta = definition.meta_data or (
        f"instance-id: {definition.vm}\nlocal-hostname: {definition.vm}\n"
    )
    image = PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="cidata")
    for name, short, text in (
        ("user-data", "/USERDATA.;1", definition.user_data or "#cloud-config\n"),
        ("meta-data", "/METADATA.;1", meta),
    ):
        content = text.encode()
        image.add_fp(io.BytesIO(content), len(content), short, rr_name=name, joliet_path=f"/{name}")
    written = io.BytesIO()
    image.write_fp(written)
    image.close()
    return written.getvalue()


def same_storage(source: Session, destination: Session, path: str) -> bool:
    """Whether both hosts have the same directory under this file's path: one makes an
    empty file there, the other one looks for it."""
    pool, _ = _place(source, path)
    other, _ = _place(destination, path)
    probe = f".frota-probe-{secrets.token_hex(8)}"
    volume = pool.make(_file_xml(probe, 1))
    try:
        return other.volume(probe) is not None
    finally:
        volume.delete()


def _place(session: Session, path: str) -> tuple[Pool, str]:
    """The pool over the file's directory, made when there is none, and the file's name.
    The directory itself is never made: without it the shared storage is not there, and
    what is written in its place would be missed on every other host."""
    directory, name = posixpath.split(posixpath.normpath(path))
    title = "frota-" + hashlib.sha256(directory.encode()).hexdigest()[:16]
    pool = session.pool(title)
    if pool is None:
        try:
            pool = session.make_pool(_pool_xml(title, directory))
        except Fault as fault:
            pool = session.pool(title)  # another start may have been faster
            if pool is None and "No such file" in str(fault):
                raise Refused(
                    f"{directory} is not there on this host: is the shared storage mounted?"
                ) from None
            if pool is None:
                raise
    return pool, name


def _pool_xml(name: str, directory: str) -> str:
    pool = Element("pool", {"type": "dir"})
    SubElement(pool, "name").text = name
    SubElement(SubElement(pool, "target"), "path").text = directory
    return tostring(pool, encoding="unicode")


def _overlay_xml(definition: Definition, name: str) -> str:
    volume = _volume(name, definition.disk_gib * _GIB, "qcow2")
    backing = SubElement(volume, "backingStore")
    SubElement(backing, "path").text = definition.image
    SubElement(backing, "format", {"type": "qcow2"})
    return tostring(volume, encoding="unicode")


def _file_xml(name: str, size: int) -> str:
    return tostring(_volume(name, size, "raw"), encoding="unicode")


def _volume(name: str, capacity: int, form: str) -> Element:
    volume = Element("volume")
    SubElement(volume, "name").text = name
    if capacity:  # without one, an overlay is as large as its image
        SubElement(volume, "capacity", {"unit": "bytes"}).text = str(capacity)
    target = SubElement(volume, "target")
    SubElement(target, "format", {"type": form})
    return volume


def _capacity(volume: Volume) -> int:
    return int(parse(volume.xml()).findtext("capacity", "0"))
