"""Every honest dialogue, in every segmentation, gets the same answers; and the bytes of a handshake may come in any pieces."""
import asyncio

import pytest

from . import segments, wire
from .client_cases import IMAP, POP3


@pytest.mark.parametrize("door, name", [(door, name) for doors, protocol in ((IMAP, "imap"), (POP3, "pop3")) for door in doors
                                        for name in segments.DIALOGUES[protocol]])
def test_a_dialogue_however_it_is_cut(stage, door, name):
    # Inside TLS segments are records: where those are cut shows in test_a_client_hello_however_it_is_cut.
    answers = stage.run(segments.same_however_cut(stage, door, segments.DIALOGUES[door[:4]][name], every=3 if door.endswith("s") else 1))
    assert answers.count(b"\r\n") >= 2
    stage.check()


async def shake(stage, door, cut, gate):
    """A handshake whose flights are cut into so many bytes a segment, then the greeting."""
    async with gate:
        client = await wire.connect(stage.doors[door])
        try:
            await client.handshake(stage.context, step=cut)
            return await client.line()
        finally:
            client.close()


@pytest.mark.parametrize("door", ["imaps", "pop3s"])
def test_a_client_hello_however_it_is_cut(stage, door):
    async def all_of_them():
        gate = asyncio.Semaphore(16)
        return await asyncio.gather(*(shake(stage, door, cut, gate) for cut in (1, 2, 3, 4, 5, 6, 7, 9, 11, 43, 44, 76, 100, 200, 300, 400, 500)))
    assert len(set(stage.run(all_of_them()))) == 1
    stage.check()
