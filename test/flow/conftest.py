"""Collects *.flow: every dialogue is a test, played twice, whole lines and a byte at a time, against the real binary."""
import os
import shutil
import tempfile

import pytest

from harness import certificates, flow, processes


def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".flow":
        return FlowFile.from_parent(parent, path=file_path)
    return None


class FlowFile(pytest.File):
    """One Homeward for all dialogues of the file."""

    stage = folder = None

    def collect(self):
        self.settings, self.flows = flow.parse(self.path)
        for number, each in enumerate(self.flows):
            # A byte at a time goes to a store of its own: an outage that one run leaves behind must not reach the other.
            again = flow.Flow(each.title, each.line, len(self.flows) + number + 1)
            again.__dict__.update({key: value for key, value in each.__dict__.items() if key != "number"})
            yield FlowItem.from_parent(self, name=each.title, flow=each, one_by_one=False)
            yield FlowItem.from_parent(self, name=each.title + " (a byte at a time)", flow=again, one_by_one=True)
            self.all = getattr(self, "all", []) + [each, again]

    def setup(self):
        self.folder = tempfile.mkdtemp(prefix="homeward-flow-")
        os.chmod(self.folder, 0o755)
        processes.give(self.folder)
        authority = certificates.Authority(os.path.join(self.folder, "ca"))
        foreign = certificates.Authority(os.path.join(self.folder, "foreign"), "A CA that nobody trusts")
        self.stage = flow.Stage(os.path.join(self.folder, "homeward"), authority, foreign, self.settings, self.all)
        try:
            self.stage.start()
        except processes.Failure as failure:
            pytest.fail(str(failure), pytrace=False)

    def teardown(self):
        try:
            if self.stage is not None:
                self.stage.stop()
        finally:
            shutil.rmtree(self.folder)


class FlowItem(pytest.Item):
    def __init__(self, *, flow, one_by_one, **more):
        super().__init__(**more)
        self.flow, self.one_by_one = flow, one_by_one

    def runtest(self):
        player = flow.Player(self.parent.stage, self.flow, self.one_by_one)
        try:
            player.play()
            self.parent.stage.front.look_for_reports()
        except (flow.Surprise, processes.Failure) as surprise:
            raise flow.Surprise(flow.describe(player, surprise)) from None

    def repr_failure(self, excinfo):
        return str(excinfo.value) if excinfo.errisinstance(flow.Surprise) else super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, self.flow.line - 1, self.name
