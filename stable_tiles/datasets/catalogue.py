"""What is known of the paper's data sets, and nothing that is not: None where it is not known."""

from __future__ import annotations

from dataclasses import dataclass

from stable_tiles.errors import InputError

UNSTATED = "stated on its page"


@dataclass(frozen=True)
class DataFile:
    """One file of a data set that has an address of its own.

    Parameters
    ----------
    name : str
    url : str
    checksum : str or None
        ``md5:...`` or ``sha256:...``; None where none is published.
    """

    name: str
    url: str
    checksum: str | None = None


@dataclass(frozen=True)
class DataSet:
    """A public data set.

    Parameters
    ----------
    name : str
        The task of the paper that it belongs to.
    title, contents : str
        What it is, and what the paper says is in it.
    doi : str or None
        Of the data where they have one.
    page : str
        Where a person finds it.
    licence : str
    size : str
        Of the download, as far as it is published.
    files : tuple of DataFile
        Files with an address; of an archive with a DOI they are asked for when
        they are wanted, with their checksums.
    """

    name: str
    title: str
    contents: str
    doi: str | None
    page: str
    licence: str = UNSTATED
    size: str = UNSTATED
    files: tuple[DataFile, ...] = ()


_IXI = "http://biomedic.doc.ic.ac.uk/brain-development/downloads/IXI/"

DATASETS = (
    DataSet(
        name="calcium",
        title="Zebrafish neurons, cytosolic and nuclear GCaMP (the paper's own recordings)",
        contents="movies (t, y, x) of two domains, unpaired; cells of about 16 px",
        doi="10.6084/m9.figshare.28707218",
        page="https://doi.org/10.6084/m9.figshare.28707218",
    ),
    DataSet(
        name="he",
        title="Head and neck tumours, two-photon fluorescence and H&E (the paper's own images)",
        contents="512 patches of 512 x 512 of each domain, 0.55 um; 440 to train, 72 to test",
        doi="10.6084/m9.figshare.28707146",
        page="https://doi.org/10.6084/m9.figshare.28707146",
    ),
    DataSet(
        name="dapi",
        title="In silico labeling, DIC and DAPI of human breast cancer cells",
        contents="two pairs: DIC 13 x 3470 x 3470, DAPI 3470 x 3470; in the sample of that project",
        doi=None,
        page="https://github.com/google/in-silico-labeling",
        size="2 GB",
        files=(
            DataFile(
                "data_sample.zip",
                "https://storage.googleapis.com/in-silico-labeling/data_sample.zip",
            ),
        ),
    ),
    DataSet(
        name="mri",
        title="IXI, T2- and PD-weighted MRI of healthy subjects",
        contents="318 pairs of 100 x 256 x 256 in the paper: 254 to train, 64 to test",
        doi=None,
        page="https://brain-development.org/ixi-dataset/",
        licence="CC BY-SA 3.0",
        files=(
            DataFile("IXI-T2.tar", _IXI + "IXI-T2.tar", "md5:e3140d78730ecdd32ba92da48c0a9aaa"),
            DataFile("IXI-PD.tar", _IXI + "IXI-PD.tar", "md5:88ecd9d1fa33cb4a2278183b42ffd749"),
        ),
    ),
    DataSet(
        name="penicillium",
        title="SUPPORT, penicillium at low and high signal-to-noise ratio",
        contents="one pair of 1000 x 1024 x 1024, 0.34 um, z 0.1 um; 900 slices to train",
        doi="10.5281/zenodo.8176722",
        page="https://doi.org/10.5281/zenodo.8176722",
    ),
    DataSet(
        name="planaria",
        title="CARE, planaria nuclei at low and high signal-to-noise ratio",
        contents="17,900 pairs of 16 x 64 x 64 to train; 20 volumes of 1024 x 1024 to test",
        doi=None,
        page="https://publications.mpi-cbg.de/publications-sites/7207",
    ),
)
"""In the order of the paper."""


def dataset(name: str) -> DataSet:
    """The data set of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    known = {entry.name: entry for entry in DATASETS}
    if name not in known:
        raise InputError(f"no data set {name}: there are {', '.join(known)}")
    return known[name]
