"""Archives: what is in them, and a signal that lies as a patch beside its background."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from darkstats.service.pages.offers import naming_rule

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from darkstats.service.store import Store


@pytest.fixture
def archive(examples: Path) -> bytes:
    """A background, and six signals as patches of their own."""
    folder = examples / "mass_scan"
    found = json.loads((folder / "patchset.json").read_text(encoding="utf-8"))
    documents = {"A/BkgOnly.json": (folder / "background_only.json").read_bytes()}
    for one in found["patches"]:
        name = f"A/patch.peak_{round(1000 * one['metadata']['values'][0])}.json"
        documents[name] = json.dumps(one["patch"]).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as target:
        for name, body in documents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            target.addfile(entry, io.BytesIO(body))
    return packed.getvalue()


def test_an_archive_leads_to_the_limit_of_a_patch(
    client: TestClient, work: Callable[[], None], store: Store, archive: bytes
) -> None:
    def page(address: str) -> str:
        client.get(address)
        work()
        return client.get(address).text

    kept = store.documents.collect({"r.tar.gz": archive}, owner="local", title="record")
    text = page(f"/likelihoods/{kept.digest}/r.tar.gz")
    assert "1 × workspace, 6 × patch" in text
    inner = re.search(r'href="(/likelihoods/[0-9a-f]{64}/r\.tar\.gz%3AA/BkgOnly\.json)"', text)[1]
    text = page(inner)
    assert 'href="#points"' in text  # a limit needs a signal first
    part = re.search(r'hx-get="(/parts/patches[^"]*)"', text)[1].replace("&amp;", "&")
    text = page(part)
    assert "Scan all 6 signals" in text
    form = re.search(r'href="(/ask/limit\?[^"]*peak_1800\.json)"', text)[1].replace("&amp;", "&")
    sent = client.get(form).text
    shown = re.search(r'name="patches"[^>]*>([^<]*)</textarea>', sent)[1]
    assert shown == "r.tar.gz:A/patch.peak_1800.json"  # as people know it
    source = f"sha256:{kept.digest}/r.tar.gz:A/BkgOnly.json"
    asked = client.post(
        "/ask/limit", data={"source": source, "patches": shown}, follow_redirects=False
    )
    work()
    assert "0.5853" in client.get(asked.headers["location"]).text


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["A/p.sb_1000_60.json", "A/p.sb_900_130.json"], ("A/p.sb_*.json", "p.sb_{x1}_{x2}")),
        (["m_1p5.json", "m_2p5.json"], ("m_*.json", "m_{x1}")),
        (["one.json", "two.json"], ("", "")),
        (["a_1.json", "b_1.json"], ("", "")),
    ],
)
def test_names_show_where_their_values_stand(names: list[str], expected: tuple[str, str]) -> None:
    assert naming_rule(names) == expected
