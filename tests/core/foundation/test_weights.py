import hashlib
import json
from types import SimpleNamespace

import huggingface_hub
import pytest

from cryoetseg.core.foundation import weights
from cryoetseg.core.runtime.checksums import sha256
from cryoetseg.core.runtime.errors import WeightsError

CONTENT = b"weights"


@pytest.fixture
def hub(monkeypatch):
    """A hub in this process: what it was asked for, and what it hands out."""
    asked = []
    state = SimpleNamespace(asked=asked, listed=[], content=CONTENT, stated=None, fails=False)

    def download(repository, file, revision, local_dir):
        if state.fails:
            raise OSError("no route to host")
        asked.append((repository, file, revision))
        (local_dir / file).parent.mkdir(parents=True, exist_ok=True)
        (local_dir / file).write_bytes(state.content)

    def model_info(self, repository, revision, files_metadata):
        state.listed.append((repository, revision))
        files = weights.SOURCES["cellpose-sam"].files
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name, lfs=SimpleNamespace(sha256=state.stated)) for name in files])

    monkeypatch.setitem(weights.SOURCES, "cellpose-sam", weights.SOURCES["cellpose-sam"]._replace(sha256={}))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return state


@pytest.fixture
def stated(tmp_path):
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    return sha256(path)


def test_fetch_checks_records_and_does_not_fetch_twice(hub, stated, tmp_path):
    hub.stated = stated
    folder = weights.fetch("cellpose-sam", str(tmp_path / "w"))
    assert folder == weights.fetched_folder("cellpose-sam", str(tmp_path / "w")) == weights.verify("cellpose-sam", str(tmp_path / "w"))
    weights.fetch("cellpose-sam", str(tmp_path / "w"))
    source = weights.SOURCES["cellpose-sam"]
    assert hub.asked == [(source.repository, "cpsam", source.revision)]
    assert set(hub.listed) == {(source.repository, source.revision)}


def test_wrong_content_is_refused(hub, tmp_path):
    hub.stated = "0" * 64
    with pytest.raises(WeightsError, match="differs"):
        weights.fetch("cellpose-sam", str(tmp_path))


def test_later_damage_is_found(hub, stated, tmp_path):
    hub.stated = stated
    folder = weights.fetch("cellpose-sam", str(tmp_path))
    (folder / "cpsam").write_bytes(b"other")
    with pytest.raises(WeightsError, match="differs"):
        weights.verify("cellpose-sam", str(tmp_path))


def test_no_connection_is_one_clear_error(hub, tmp_path):
    hub.fails = True
    with pytest.raises(WeightsError, match="copy the folder"):
        weights.fetch("cellpose-sam", str(tmp_path))


def test_folder_is_the_option_then_the_variable_then_home(monkeypatch, tmp_path):
    monkeypatch.setenv("CRYOETSEG_WEIGHTS", str(tmp_path))
    assert weights.weights_root("/somewhere").as_posix() == "/somewhere"
    assert weights.weights_root() == tmp_path
    monkeypatch.delenv("CRYOETSEG_WEIGHTS")
    assert weights.weights_root().name == "weights"


def test_missing_weights_name_file_and_command(tmp_path):
    with pytest.raises(WeightsError, match=r"unet/config\.json.*weights fetch stable-diffusion-v1-4"):
        weights.fetched_folder("stable-diffusion-v1-4", str(tmp_path))


def test_no_connection_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(WeightsError, match=r"a connection to huggingface\.co"):
        weights.fetch("cellpose-sam", str(tmp_path))


def test_unknown_weights():
    with pytest.raises(WeightsError, match="cellpose-sam"):
        weights.fetch("sam3")


def test_every_source_is_taken_at_a_fixed_revision_and_what_may_hold_a_pickle_by_its_sum():
    assert all(len(source.revision) == 40 for source in weights.SOURCES.values())
    for source in weights.SOURCES.values():
        unsafe = [file for file in source.files if not file.endswith((".safetensors", ".json", ".txt"))]
        assert all(len(source.sha256[file]) == 64 for file in unsafe)


@pytest.mark.parametrize(("content", "sound"), [(b"{}\n", True), (b"{ }\n", False)])
def test_small_files_are_checked_by_the_sum_that_git_gives_them(hub, monkeypatch, tmp_path, content, sound):
    stated = hashlib.sha1(b"blob 3\0{}\n").hexdigest()
    assert stated == "0967ef424bce6791893e9a57bb952f80fd536e93"  # git hash-object
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *args, **options: SimpleNamespace(
        siblings=[SimpleNamespace(rfilename="cpsam", lfs=None, blob_id=stated)]))
    hub.content = content
    if sound:
        assert weights.fetch("cellpose-sam", str(tmp_path)) == weights.verify("cellpose-sam", str(tmp_path))
        return
    with pytest.raises(WeightsError, match="differs"):
        weights.fetch("cellpose-sam", str(tmp_path))


@pytest.mark.parametrize("record", [{}, {"sha256": {}}, {"sha256": None}, {"sha256": {"cpsam": ""}}, {"sha256": {"cpsam": None}}])
def test_an_empty_record_verifies_nothing(hub, stated, tmp_path, record):
    hub.stated = stated
    folder = weights.fetch("cellpose-sam", str(tmp_path))
    (folder / weights.RECORD).write_text(json.dumps(record))
    with pytest.raises(WeightsError, match="nothing tells"):
        weights.verify("cellpose-sam", str(tmp_path))


def test_a_file_that_the_repository_does_not_state_is_refused(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *args, **options: SimpleNamespace(siblings=[]))
    with pytest.raises(WeightsError, match="nothing tells"):
        weights.fetch("cellpose-sam", str(tmp_path))


def test_a_sum_that_is_written_down_here_counts_beside_the_record(hub, stated, monkeypatch, tmp_path):
    hub.stated = stated
    weights.fetch("cellpose-sam", str(tmp_path))
    monkeypatch.setitem(weights.SOURCES, "cellpose-sam", weights.SOURCES["cellpose-sam"]._replace(sha256={"cpsam": "0" * 64}))
    with pytest.raises(WeightsError, match="differs"):
        weights.verify("cellpose-sam", str(tmp_path))
