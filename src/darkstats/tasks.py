"""What the command line does, as Python functions: the same requests, the same workflows.

Use these where a record, a figure or a folder of results is wanted; use the functions on models
(:func:`darkstats.upper_limit`, ...) where the numbers go on being computed with. A function takes
what its verb takes: arguments first, options by the names of the fields of its request. It prints
nothing. What it returns holds the frozen result of the library (``.result``), the record
(``.to_dict()``, ``.save(path)``) and the figures (``.figure(kind).save(path)``).

``darkstats`` itself has most of them by the same names. Some stand here alone, because it has other
functions or packages of their names, which work on models: ``fit``, ``hypotest``, ``significance``,
``gof``, ``hs3``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats import workflows
from darkstats.calls import task
from darkstats.workflows import Outcome, Shell

if TYPE_CHECKING:
    from darkstats.conversion.converted import Conversion
    from darkstats.fit import ProfileScan
    from darkstats.inference.bayes.answers import CredibleLimit
    from darkstats.inference.results import (
        GoodnessOfFit,
        HypoTestResult,
        Interval,
        Significance,
        UpperLimit,
    )
    from darkstats.look_elsewhere import Comparison
    from darkstats.publication.findings import Findings
    from darkstats.report.contour_results import Contours
    from darkstats.report.recasts import Recast
    from darkstats.report.scan_table import ScanTable
    from darkstats.scan.mass_scan import MassScan
    from darkstats.workflows.fits import Fitted, Ranking
    from darkstats.workflows.simplification import Simplified
    from darkstats.workspace import Workspace
    from darkstats.workspace.download import Download
    from darkstats.workspace.hs3 import Hs3Document

__all__ = [
    "build_template",
    "combine",
    "contour",
    "convert",
    "download",
    "export",
    "fit",
    "global_significance",
    "gof",
    "hs3",
    "hypotest",
    "limit",
    "mass_scan",
    "plot",
    "project",
    "prune",
    "publish",
    "rank",
    "recast",
    "reinterpret_likelihood",
    "rename",
    "scan_poi",
    "significance",
    "simplify",
    "verify",
]


@task
def limit(
    request: workflows.LimitRequest, shell: Shell
) -> Outcome[UpperLimit | Interval | CredibleLimit]:
    """Upper limit on the signal strength, observed and expected; or an interval.

    Examples
    --------
    >>> import darkstats
    >>> found = darkstats.limit("workspaces/examples/two_bins.json", cl=0.9)
    >>> found
    Outcome(UpperLimit(poi='mu', cl=0.9, method='cls', calculator='asymptotic', observed=1.689, ...
    >>> round(found.result.expected[2], 3)
    1.264

    On a coupling, whose cross section is 12.3 g² fb, for a signal that was made with g = 0.1:

    >>> found = darkstats.limit(
    ...     "workspaces/examples/two_bins.json",
    ...     cross_sections="sigma_fb = 12.3*g**2",
    ...     unit_signal="g=0.1",
    ... )
    >>> round(found.to_dict()["couplings"]["g"]["observed"], 4)
    0.1402
    """
    return workflows.limit(request, shell)


@task
def mass_scan(request: workflows.MassScanRequest, shell: Shell) -> Outcome[MassScan]:
    """Limits and local p-values at all mass hypotheses of a search.

    Examples
    --------
    >>> import darkstats
    >>> scan = darkstats.mass_scan("workspaces/examples/mass_scan", workers=1)
    >>> scan.result.statement
    'all 6 hypotheses have a certified result'
    >>> scan.result.largest_excess
    'Z = 0.13 at mass_1p8'

    Workspaces and patch sets that have been read do as well as their files:

    >>> folder = "workspaces/examples/mass_scan"
    >>> workspace = darkstats.read_workspace(f"{folder}/background_only.json", usable=False)
    >>> patches = darkstats.read_patchset(f"{folder}/patchset.json")
    >>> again = darkstats.mass_scan(workspace, patchset=patches, workers=1)
    >>> again.result.points == scan.result.points
    True
    """
    return workflows.scan(request, shell)


@task
def global_significance(request: workflows.GlobalRequest, shell: Shell) -> Outcome[Comparison]:
    """Global significance of the largest excess of a scan, by several methods.

    Examples
    --------
    >>> import darkstats
    >>> scan = darkstats.mass_scan("workspaces/examples/mass_scan", output="scan", workers=1)
    >>> found = darkstats.global_significance("scan", n_toys=2000, workers=1)
    >>> found.result.quoted.method
    'toys'
    """
    return workflows.global_significance(request, shell)


@task
def project(request: workflows.ProjectRequest, shell: Shell) -> Outcome[list[MassScan]]:
    """Expected limits at other luminosities.

    Examples
    --------
    >>> import darkstats
    >>> found = darkstats.project(
    ...     "workspaces/examples/mass_scan", luminosities_ifb=[10, 50], luminosity_ifb=10, workers=1
    ... )
    >>> now, later = found.result
    >>> later.points[0].expected[2] < now.points[0].expected[2]
    True
    """
    return workflows.project(request, shell)


@task
def reinterpret_likelihood(request: workflows.ReinterpretRequest, shell: Shell) -> Outcome[Any]:
    """Limit on a signal of your own in a published likelihood; of several signals, a scan.

    Examples
    --------
    >>> import darkstats
    >>> found = darkstats.reinterpret_likelihood(
    ...     "workspaces/examples/three_channels.json",
    ...     signal="signal_region=2.1,5.4,4.3,1.2",
    ...     missing="keep",
    ... )
    >>> round(found.result.observed, 2)
    1.99

    Yields by channel may be a mapping, too:

    >>> again = darkstats.reinterpret_likelihood(
    ...     "workspaces/examples/three_channels.json",
    ...     signal={"signal_region": [2.1, 5.4, 4.3, 1.2]},
    ...     missing="keep",
    ... )
    >>> again.result.observed == found.result.observed
    True
    """
    return workflows.reinterpret(request, shell)


@task
def plot(request: workflows.PlotRequest, shell: Shell) -> Outcome[Any]:
    """Figures of finished results: files of records, or what another of these functions returned.

    Examples
    --------
    >>> import darkstats
    >>> scan = darkstats.mass_scan("workspaces/examples/mass_scan", workers=1)
    >>> drawn = darkstats.plot(scan, constraints="none")
    >>> list(drawn.figures)
    ['limits', 'p_values']
    >>> drawn.figure("p_values").save("p_values.png")
    """
    return workflows.plot(request, shell)


@task
def contour(request: workflows.ContourRequest, shell: Shell) -> Outcome[Contours]:
    r"""Exclusion contours of finished scans over two masses, observed and expected.

    Examples
    --------
    >>> import darkstats
    >>> from pathlib import Path
    >>> rows = ["hypothesis,channel,bin,yield"]
    >>> for x in (1, 2, 3):
    ...     for y in (1, 2, 3):
    ...         rows += [f"m_{x}_{y},signal_region,{k},{60 / (x * x + y * y)}" for k in (0, 1)]
    >>> _ = Path("signals.csv").write_text("\n".join(rows))
    >>> scan = darkstats.reinterpret_likelihood(
    ...     "workspaces/examples/two_bins.json",
    ...     signal="signals.csv",
    ...     name_pattern="m_{m_x}_{m_y}",
    ...     patch="signals.json",
    ... )
    >>> found = darkstats.contour(scan)
    >>> found.result.excluded.partition(",")[0], len(found.result.points)
    ('observed 1', 9)
    >>> found.figure().save("contours.png")
    """
    return workflows.contour(request, shell)


@task
def download(request: workflows.DownloadRequest, shell: Shell) -> Outcome[Download]:
    """Fetch a published likelihood by DOI or URL: the only task that uses the network.

    Examples
    --------
    >>> import darkstats
    >>> found = darkstats.download("10.17182/hepdata.89408.v3/r2", folder="sb")  # doctest: +SKIP
    >>> found.result.workspaces[0].member  # doctest: +SKIP
    'RegionA/BkgOnly.json'
    """
    return workflows.download(request, shell)


@task
def export(request: workflows.ExportRequest, shell: Shell) -> Outcome[ScanTable]:
    """A scan as CSV or as HEPData tables.

    Examples
    --------
    >>> import darkstats
    >>> scan = darkstats.mass_scan("workspaces/examples/mass_scan", workers=1)
    >>> table = darkstats.export(scan, csv="scan.csv")
    >>> table.to_dict()["files"]
    ['scan.csv']
    """
    return workflows.export(request, shell)


@task
def publish(request: workflows.PublishRequest, shell: Shell) -> Outcome[dict[str, Any]]:
    """A bundle for others: likelihood, signals, limits, tables, HEPData submission, checksums.

    Examples
    --------
    >>> import darkstats
    >>> scan = darkstats.mass_scan("workspaces/examples/mass_scan", workers=1)
    >>> bundle = darkstats.publish("workspaces/examples/mass_scan", output="published", scan=scan)
    >>> bundle.result["hypotheses"]
    6
    """
    return workflows.publish(request, shell)


@task
def verify(request: workflows.VerifyRequest, shell: Shell) -> Outcome[Findings]:
    """Check a bundle: checksums, documents, patches, tables; and compute limits again.

    Examples
    --------
    >>> import darkstats
    >>> bundle = darkstats.publish("workspaces/examples/two_bins.json", output="bundle")
    >>> found = darkstats.verify("bundle")
    >>> found.result.problems, found.malformed, found.uncertified
    ([], '', '')
    """
    return workflows.verify(request, shell)


@task
def convert(request: workflows.ConvertRequest, shell: Shell) -> Outcome[Conversion]:
    r"""A workspace of CMS Combine datacards, or of HistFactory XML with its ROOT files.

    Examples
    --------
    >>> import darkstats
    >>> from pathlib import Path
    >>> _ = Path("card.txt").write_text(
    ...     "imax 1\njmax 1\nkmax *\nbin sr\nobservation 3\n"
    ...     "bin sr sr\nprocess s b\nprocess 0 1\nrate 2.0 2.5\nbg lnN - 1.2\n"
    ... )
    >>> found = darkstats.convert("card.txt", output="converted")
    >>> round(darkstats.limit("converted/workspace.json").result.observed, 2)
    2.55
    """
    return workflows.convert(request, shell)


@task
def simplify(request: workflows.SimplifyRequest, shell: Shell) -> Outcome[Simplified]:
    """A simplified likelihood: few Gaussian nuisance parameters, and what that changes.

    Examples
    --------
    >>> import darkstats
    >>> found = darkstats.simplify("workspaces/examples/three_channels.json")
    >>> found.result.likelihood.parameters_after < found.result.likelihood.parameters_before
    True
    >>> found.result.fidelity.largest < 0.1
    True
    >>> found.save("simplified.json")
    """
    return workflows.simplify(request, shell)


@task
def combine(
    request: workflows.CombineRequest, shell: Shell
) -> Outcome[Workspace] | Outcome[Hs3Document]:
    """One workspace out of two, or one HS3 document where one of the two is of events.

    Parameters of one name are shared.

    Examples
    --------
    >>> import darkstats
    >>> whole = darkstats.read_workspace("workspaces/examples/three_channels.json")
    >>> one = darkstats.prune(whole, channels="control_region").result
    >>> other = darkstats.prune(whole, channels=["signal_region", "validation_region"]).result
    >>> darkstats.combine(one, other, join="outer").result.channel_names
    ('signal_region', 'validation_region', 'control_region')
    """
    return workflows.combine(request, shell)


@task
def prune(request: workflows.PruneRequest, shell: Shell) -> Outcome[Workspace]:
    """A workspace without some of its parts.

    Examples
    --------
    >>> import darkstats
    >>> found = darkstats.prune(
    ...     "workspaces/examples/three_channels.json", channels="control_region"
    ... )
    >>> found.result.channel_names
    ('signal_region', 'validation_region')
    """
    return workflows.prune(request, shell)


@task
def rename(request: workflows.RenameRequest, shell: Shell) -> Outcome[Workspace]:
    """A workspace with other names.

    Examples
    --------
    >>> import darkstats
    >>> found = darkstats.rename("workspaces/examples/two_bins.json", modifiers={"mu": "strength"})
    >>> found.result.poi_name()
    'strength'
    >>> found.save("renamed.json")
    """
    return workflows.rename(request, shell)


@task
def build_template(request: workflows.TemplateRequest, shell: Shell) -> Outcome[Any]:
    """A likelihood of your own histograms: workspace, sidecar, patch set.

    Examples
    --------
    >>> import darkstats
    >>> from pathlib import Path
    >>> _ = Path("template.yaml").write_text('''
    ... name: my_search
    ... simulated: true
    ... channels:
    ...   signal_region:
    ...     data: {counts: [52, 41]}
    ...     samples:
    ...       signal: {counts: [6, 9], free: mu, yields: {trigger: 0.02}}
    ...       background: {counts: [45, 38], yields: {normalisation: 0.1}}
    ... ''')
    >>> found = darkstats.build_template("template.yaml", output="my-search")
    >>> round(darkstats.limit("my-search/workspace.json").result.observed, 2)
    1.99
    """
    return workflows.build_template(request, shell)


@task
def fit(request: workflows.FitRequest, shell: Shell) -> Outcome[Fitted]:
    """Maximum-likelihood fit: values, errors, pulls; figures of pulls, correlation, data.

    Examples
    --------
    >>> from darkstats import tasks
    >>> tasks.fit("workspaces/examples/two_bins.json")
    Outcome(Fitted(values=('mu 0.5811 ± 0.76', ...
    >>> found = tasks.fit("workspaces/examples/two_bins.json", minos="mu")
    >>> round(found.result.intervals[0].upper, 3)
    1.355
    >>> found.figure("data").save("data.png")
    """
    return workflows.fit(request, shell)


@task
def rank(request: workflows.RankRequest, shell: Shell) -> Outcome[Ranking]:
    """Rank nuisance parameters by their impact on the parameter of interest.

    Examples
    --------
    >>> from darkstats import tasks
    >>> found = tasks.rank("workspaces/examples/two_bins.json")
    >>> found.result.largest
    'background_bins[1] by 0.403'
    """
    return workflows.rank(request, shell)


@task
def scan_poi(request: workflows.ScanRequest, shell: Shell) -> Outcome[ProfileScan]:
    """Scan the profile likelihood along one parameter, or two.

    Examples
    --------
    >>> from darkstats import tasks
    >>> found = tasks.scan_poi("workspaces/examples/two_bins.json", ranges=[(0, 3)], points=7)
    >>> found.result.certified_points
    '7 of 7'
    """
    return workflows.scan_poi(request, shell)


@task
def hypotest(request: workflows.HypoTestRequest, shell: Shell) -> Outcome[HypoTestResult]:
    """Test one signal strength: CLs, CLs+b and CLb, observed and expected.

    Examples
    --------
    >>> from darkstats import tasks
    >>> round(tasks.hypotest("workspaces/examples/two_bins.json", mu=1.5).to_dict()["CLs_obs"], 4)
    0.1524
    """
    return workflows.hypotest(request, shell)


@task
def significance(request: workflows.SignificanceRequest, shell: Shell) -> Outcome[Significance]:
    """Significance of an excess, observed and expected for signal strength 1.

    Examples
    --------
    >>> from darkstats import tasks
    >>> round(tasks.significance("workspaces/examples/two_bins.json").result.observed, 3)
    0.77
    """
    return workflows.significance(request, shell)


@task
def gof(request: workflows.GoodnessRequest, shell: Shell) -> Outcome[GoodnessOfFit]:
    """Goodness of fit against the saturated model.

    Examples
    --------
    >>> from darkstats import tasks
    >>> round(tasks.gof("workspaces/examples/two_bins.json").result.p_value.value, 3)
    0.618
    """
    return workflows.gof(request, shell)


@task
def hs3(request: workflows.Hs3Request, shell: Shell) -> Outcome[dict[str, Any]]:
    """A workspace as HS3, for ROOT, pyhs3 and others.

    Examples
    --------
    >>> from darkstats import tasks
    >>> tasks.hs3("workspaces/examples/two_bins.json").save("model.hs3.json")
    """
    return workflows.hs3(request, shell)


@task
def recast(request: workflows.RecastRequest, shell: Shell) -> Outcome[Recast]:
    r"""A limit on one mediator as a limit on another: production, branching, lifetime.

    Examples
    --------
    >>> from darkstats import tasks
    >>> from pathlib import Path
    >>> _ = Path("curve.csv").write_text("mass_GeV,epsilon_UL90\n0.3,1e-3\n0.4,1.2e-3\n")
    >>> found = tasks.recast(
    ...     "curve.csv",
    ...     source="dark_photon",
    ...     to="b_minus_l",
    ...     production="electron",
    ...     final_state="ee",
    ... )
    >>> found.to_dict()["to"]["symbol"]
    'g_B-L'
    """
    return workflows.recast(request, shell)
