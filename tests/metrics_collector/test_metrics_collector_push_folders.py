"""The sockets of engines that have gone."""

import math
import socket
from pathlib import Path

from tunewright.metrics_collector.push import remove_dead


def listening(folder: Path) -> socket.socket:
    folder.mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "report"))
    server.listen()
    return server


def test_folders_of_killed_engines_are_removed_and_those_of_living_ones_stay(tmp_path: Path):
    living = listening(tmp_path / "tw-living")
    listening(tmp_path / "tw-dead").close()
    remove_dead(tmp_path, before=math.inf)
    assert [each.name for each in tmp_path.iterdir()] == ["tw-living"]
    living.close()


def test_the_folder_of_an_engine_that_is_about_to_listen_is_left_alone(tmp_path: Path):
    listening(tmp_path / "tw-young").close()
    remove_dead(tmp_path, before=0.0)
    assert (tmp_path / "tw-young").exists()
