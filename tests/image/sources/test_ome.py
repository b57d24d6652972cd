from __future__ import annotations

import pytest

from stable_tiles.image.sources.ome import ome_calibration

XML = """<?xml version="1.0"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
  <Instrument ID="I:0"><Objective ID="O:0" NominalMagnification="63"/></Instrument>
  <Image ID="Image:0" Name="overview"><Pixels PhysicalSizeX="2" PhysicalSizeY="2"/></Image>
  <Image ID="Image:1" Name="detail">
    <Pixels PhysicalSizeX="100" PhysicalSizeXUnit="nm" PhysicalSizeY="0.2" PhysicalSizeZ="1"
            PhysicalSizeZUnit="mm" TimeIncrement="50" TimeIncrementUnit="ms">
      <Channel Name="nuclei" Color="65535"/>
      <Channel Color="-16776961"/>
    </Pixels>
  </Image>
</OME>"""


def test_sizes_units_and_channels_of_the_named_image() -> None:
    found = ome_calibration(XML, 0, "detail")
    assert found.scale == {"x": 100.0, "y": 0.2, "z": 1.0, "t": 50.0}
    assert found.units == {
        "x": "nanometer",
        "y": "micrometer",
        "z": "millimeter",
        "t": "millisecond",
    }
    assert [(c.name, c.color) for c in found.channels] == [
        ("nuclei", "0000FF"),
        ("channel 1", "FF0000"),
    ]
    assert found.metadata == {"format": "ome", "objective": 63.0}


def test_an_unnamed_image_is_found_by_its_place() -> None:
    assert ome_calibration(XML, 0, "").scale == {"x": 2.0, "y": 2.0}
    assert ome_calibration(XML, 1, "").scale["x"] == 100.0
    assert ome_calibration(XML, 7, "").scale == {}


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "wide", ""])
def test_sizes_that_are_no_sizes_are_absent(value: str) -> None:
    xml = f'<OME><Image><Pixels PhysicalSizeX="{value}"/></Image></OME>'
    assert ome_calibration(xml, 0, "").scale == {}


def test_sizes_in_pixels_are_no_physical_sizes() -> None:
    xml = '<OME><Image><Pixels PhysicalSizeX="2" PhysicalSizeXUnit="pixel"/></Image></OME>'
    assert ome_calibration(xml, 0, "").scale == {}


def test_broken_xml_states_nothing() -> None:
    assert ome_calibration("<OME><Image", 0, "").scale == {}
