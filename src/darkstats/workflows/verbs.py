"""The verbs: what each is asked, which workflow answers, and the words of its help.

Options are declared beside the fields of the requests; :mod:`darkstats.cli.commands` makes a
parser of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["GROUPS", "VERBS", "Verb"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb.

    Parameters
    ----------
    request, task
        Names of a request and of the function that takes it, in the module ``home``.
    help
        What it does, and an example.
    panel
        Group of the help of ``darkstats`` itself.
    without
        Fields of the request that this verb does not offer.
    words
        Help of fields that mean something narrower in this verb than where they are declared.
    file, figures
        Whether it offers a file for the record, and figures. A request with a folder of its own
        keeps its record there.
    kinds
        All kinds of figures that it may draw, where that is known before the work.
    draws
        Whether figures are what it is for.
    prints_record
        Whether the record, a document, is printed where no file is named for it.
    home
        Module of the request and the task.
    """

    request: str
    task: str
    help: str
    panel: str
    without: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    file: bool = True
    figures: bool = True
    kinds: str = ""
    draws: bool = False
    prints_record: bool = False
    home: str = "darkstats.workflows"


_LIMIT = "cls p posterior limit"
_SCAN = "limits p_values against_first against_second expected observed significance projections"

VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "limit": Verb(
            request="LimitRequest", task="limit", panel="Statistics",
            kinds=_LIMIT,
            help="Upper limit on the signal strength, observed and expected.\n\n"
            "Example: darkstats limit workspace.json --cl 0.90 --plot limit.pdf\n\n"
            "On a coupling: darkstats limit workspace.json --cross-sections 'sigma_fb = "
            "12.3*g**2/mass_gev**2' --unit-signal g=0.1 --mass 1.8",
        ),
        "hypotest": Verb(
            request="HypoTestRequest", task="hypotest", panel="Statistics",
            kinds="statistic",
            help="Test one signal strength: CLs, CLs+b and CLb, observed and expected.\n\n"
            "Example: darkstats hypotest workspace.json --mu 1.0 --json",
            without="engine",
        ),
        "significance": Verb(
            request="SignificanceRequest", task="significance", panel="Statistics",
            kinds="scan",
            help="Significance of an excess, observed and expected for signal strength 1.\n\n"
            "Example: darkstats significance workspace.json --calculator toys --toys 100000",
            without="engine",
        ),
        "gof": Verb(
            request="GoodnessRequest", task="gof", panel="Statistics",
            kinds="gof",
            help="Goodness of fit against the saturated model.\n\n"
            "Example: darkstats gof workspace.json --calculator toys --toys 5000 --plot gof.pdf",
            without="engine blind",
        ),
        "fit": Verb(
            request="FitRequest", task="fit", panel="Fits",
            kinds="pulls correlation data prefit",
            help="Maximum-likelihood fit: values, errors, pulls. Figures: pulls, correlation, "
            "data, prefit.\n\n"
            "Example: darkstats fit workspace.json --plot pulls.pdf --plot data=data.pdf",
            without="engine",
        ),
        "rank": Verb(
            request="RankRequest", task="rank", panel="Fits",
            kinds="ranking",
            help="Rank nuisance parameters by their impact on the parameter of interest.\n\n"
            "Example: darkstats rank workspace.json --plot ranking.pdf",
            without="engine",
        ),
        "scan-poi": Verb(
            request="ScanRequest", task="scan_poi", panel="Fits",
            kinds="scan",
            help="Scan the profile likelihood along one parameter, or two.\n\n"
            "Example: darkstats scan-poi workspace.json --range 0:5 --plot scan.pdf",
            without="engine",
        ),
        "template init": Verb(
            request="TemplateStartRequest", task="start_template", panel="Workspaces",
            help="Write a commented card to start from.\n\n"
            "Example: darkstats template init -o template.yaml",
            file=False, figures=False,
        ),
        "template build": Verb(
            request="TemplateRequest", task="build_template", panel="Workspaces",
            help="Make a likelihood of your own histograms: workspace, sidecar, patch set.\n\n"
            "Example: darkstats template build template.yaml -o my-search",
            file=False, kinds="interpolation steps",
        ),
        "new-search": Verb(
            request="SearchStartRequest", task="start_search", panel="Searches",
            help="Write the card of a new search, to be changed: a commented one, or the nearest "
            "there is.\n\n"
            "Example: darkstats new-search dark_photon --like models/zprime_invisible_2018.yaml",
            file=False, figures=False,
        ),
        "simulate": Verb(
            request="SimulateRequest", task="simulate", panel="Searches",
            help="Simulate the samples of a search card; what is in the cache is not simulated "
            "again.\n\nExample: darkstats simulate models/alp.yaml --quick",
            figures=False,
        ),
        "build": Verb(
            request="BuildRequest", task="build", panel="Searches",
            help="Build a search from its card: workspace, patch set with one patch a mass, "
            "record.\n\n"
            "Example: darkstats build models/alp.yaml -o alp --quick",
            file=False, figures=False,
        ),
        "scan": Verb(
            request="MassScanRequest", task="scan", panel="Scans",
            kinds=_SCAN,
            help="Limits and local p-values at all mass hypotheses of a search. Figures over one "
            "mass: limits, p_values; over two, or a mass and a lifetime: against_first, "
            "against_second, expected, observed, significance.\n\n"
            "Example: darkstats scan workspaces/alp -o alp-scan --plot alp.pdf\n\n"
            "On the coupling of a model: darkstats scan search --cross-sections model.csv -o scan",
            file=False,
        ),
        "global": Verb(
            request="GlobalRequest", task="global_significance", panel="Scans",
            kinds="methods crossings",
            help="Global significance of the largest excess of a scan, by several methods.\n\n"
            "Example: darkstats global alp-scan --toys 100000 --plot methods=methods.pdf",
            file=False,
            words={"blind": "Open events that are not marked as simulated, for a SOURCE that is "
                   "scanned first. There is no excess to judge in a blind scan."},
        ),
        "project": Verb(
            request="ProjectRequest", task="project", panel="Scans",
            kinds=_SCAN,
            help="Expected limits at other luminosities, with a statement on the systematic "
            "errors.\n\n"
            "Example: darkstats project workspaces/zprime_invisible_2020 --lumi 50,200 --plot "
            "reach.pdf",
            file=False,
        ),
        "shards plan": Verb(
            request="MassScanRequest", task="plan_shards", panel="Scans",
            help="Write the job of a scan into a folder, for shards to work on.\n\n"
            "Example: darkstats shards plan workspaces/alp -o job",
            without="cluster workers cross_sections unit_signal", file=False, figures=False,
            words={"output": "Folder of the job, in which shards work. [required]"},
        ),
        "shards run": Verb(
            request="ShardRequest", task="run_shard", panel="Scans",
            help="Run one shard of a planned scan: what of it is not finished.\n\n"
            "Example: darkstats shards run job --shard 0 --of 8",
            file=False, figures=False,
        ),
        "shards merge": Verb(
            request="MergeRequest", task="merge_shards", panel="Scans",
            kinds=_SCAN,
            help="Make the result of a planned scan, from its folder and those of other shards.\n\n"
            "Example: darkstats shards merge job",
            file=False,
        ),
        "reinterpret": Verb(
            request="ReinterpretRequest", task="reinterpret", panel="Statistics",
            kinds=f"{_LIMIT} {_SCAN}",
            help="Limit on a signal of your own in a published likelihood, by names of "
            "channels.\n\n"
            "Example: darkstats reinterpret BkgOnly.json --signal SR=1.2,3.4 --missing keep",
            without="engine",
            words={
                "source": "The published likelihood, with or without a signal of its own: JSON, "
                "JSON.gz, or ARCHIVE[:MEMBER] of a HEPData record; - reads standard input.",
                "point": "Point of the patch set, whose signal yours takes the place of: its "
                "name, or values 1300,60.",
                "data": 'Other observed counts: {"channel": [counts]}.',
                "blind": "Expected values only, from Asimov data; data stay closed.",
                "name_pattern": "Where values stand in the names of your signals: "
                "'sbottom_{m_sb}_{m_n1}'; they become the axes of the scan.",
            },
        ),
        "recast": Verb(
            request="RecastRequest", task="recast", panel="Results",
            kinds="recast regimes",
            help="A limit on one mediator as a limit on another: production, branching, "
            "lifetime.\n\n"
            "Example: darkstats recast dark_photon.csv --from dark_photon --to b_minus_l "
            "--production electron --final-state ee --plot b_minus_l.pdf\n\n"
            "Of a scan: darkstats recast alp-scan/scan.json --to alp_hypercharge --production "
            "photon --final-state gammagamma",
        ),
        "dark-higgs": Verb(
            request="DarkHiggsRequest", task="dark_higgs", panel="Results",
            kinds="holds excluded",
            help="Dark Higgsstrahlung read as mixing of h' with the Higgs boson: up to which "
            "mixing its limits hold, and what they exclude.\n\n"
            "Example: darkstats dark-higgs scan.json --escapes-beyond 1250 --decays ctau=ctau.csv "
            "--product 1e-6 --plot holds=mixing.pdf",
            words={
                "decays": "Proper decay length of h' at sin(theta) = 1, as CSV with a mass and a "
                "value: ctau=FILE.",
                "table": "Write the mixing at each hypothesis as CSV.",
            },
        ),
        "plot": Verb(
            request="PlotRequest", task="plot", panel="Results",
            help="Draw a finished result again, or several in one figure.\n\n"
            "Without RESULT: the regimes of mediator and dark-matter masses.\n\n"
            "Example: darkstats plot scan.json -o limits.pdf --constraints ~/AxionLimits/"
            "AxionPhoton",
            draws=True,
        ),
        "contour": Verb(
            request="ContourRequest", task="contour", panel="Results",
            kinds="contours",
            help="Exclusion contours of finished scans over two masses, observed and expected.\n\n"
            "Example: darkstats contour scan.json --plot contours.pdf --curves contours.csv\n\n"
            "Of several regions: darkstats contour A=a/scan.json B=b/scan.json --x m_sb --y m_n2 "
            "--where m_n1=60",
        ),
        "export": Verb(
            request="ExportRequest", task="export", panel="Results",
            help="Write a scan as CSV or as HEPData tables.\n\n"
            "Example: darkstats export scan.json --csv scan.csv --hepdata submission",
            file=False, figures=False,
        ),
        "publish": Verb(
            request="PublishRequest", task="publish", panel="Results",
            help="Write a bundle for others: likelihood, signals, limits of a finished scan, "
            "tables, HEPData submission, README, checksums.\n\n"
            "Example: darkstats publish workspaces/alp --scan alp-scan -o bundle",
            file=False, figures=False,
        ),
        "verify": Verb(
            request="VerifyRequest", task="verify", panel="Results",
            help="Check a bundle: checksums, documents, patches, tables; and compute limits "
            "again.\n\n"
            "Exit status: 0 all right; 1 a number differs or is not certified; 2 malformed.\n\n"
            "Example: darkstats verify bundle --points 10",
            figures=False,
        ),
        "inspect": Verb(
            request="InspectRequest", task="inspect", panel="Workspaces",
            help="Show what a workspace holds, and what the linter says of it; a patch set, "
            "an HS3 document, or a build.\n\n"
            "Example: darkstats inspect record.tar.gz:RegionA/BkgOnly.json",
        ),
        "patchset create": Verb(
            request="PatchSetRequest", task="create_patch_set", panel="Workspaces",
            help="Make a patch set out of patches in files of their own, with the digests of the "
            "workspace.\n\n"
            "Example: darkstats patchset create BkgOnly.json -p 'patch.*.json' -o patchset.json",
            figures=False, prints_record=True,
            words={
                "patches": "Patches, one for each hypothesis; repeatable. A pattern in quotes "
                "names many: 'patch.*.json', record.tar.gz:'RegionA/patch.*.json'. [required]",
            },
        ),
        "combine": Verb(
            request="CombineRequest", task="combine", panel="Workspaces",
            help="Combine two likelihoods of bins or events; parameters of one name are shared.\n\n"
            "Example: darkstats combine one.json two.json -o both.json",
            figures=False, prints_record=True,
        ),
        "prune": Verb(
            request="PruneRequest", task="prune", panel="Workspaces",
            help="Remove channels, samples, modifiers or measurements; or what changes the limit "
            "least, as measured.\n\n"
            "Example: darkstats prune workspace.json -c control_region -o pruned.json\n\n"
            "Small uncertainties: darkstats prune workspace.json --threshold 0.01 -o pruned.json",
            figures=False, prints_record=True,
        ),
        "simplify": Verb(
            request="SimplifyRequest", task="simplify", panel="Workspaces",
            help="Write a simplified likelihood: few Gaussian nuisance parameters, and what that "
            "changes.\n\n"
            "Example: darkstats simplify workspace.json -o simplified.json --report fidelity.json",
            without="engine blind simulated", figures=False, prints_record=True,
            words={"data": 'Other observed counts: {"channel": [counts]}.'},
        ),
        "rename": Verb(
            request="RenameRequest", task="rename", panel="Workspaces",
            help="Rename channels, samples, modifiers or measurements; all options are "
            "repeatable.\n\n"
            "Example: darkstats rename workspace.json -m mu=mu_sig -o renamed.json",
            without="patches patchset point", figures=False, prints_record=True,
        ),
        "convert": Verb(
            request="ConvertRequest", task="convert", panel="Workspaces",
            help="Make a workspace of CMS Combine datacards, or of HistFactory XML with its ROOT "
            "files.\n\n"
            "Example: darkstats convert datacard.txt -o converted\n\n"
            "Several cards: darkstats convert sr=signal.txt cr=control.txt -o both --mass 125",
            file=False, figures=False,
        ),
        "digest": Verb(
            request="DigestRequest", task="digest", panel="Workspaces",
            help="Print the digests of a workspace: by pyhf's rule, and canonical.\n\n"
            "Example: darkstats digest BkgOnly.json",
            figures=False,
        ),
        "hs3": Verb(
            request="Hs3Request", task="hs3", panel="Workspaces",
            help="Write a workspace as HS3, for ROOT, pyhs3 and others; HS3 is read like any "
            "workspace.\n\n"
            "Example: darkstats hs3 BkgOnly.json -p signal.json -o model.hs3.json",
            figures=False, prints_record=True,
        ),
        "download": Verb(
            request="DownloadRequest", task="download", panel="Workspaces",
            help="Fetch a published likelihood and show its digests. The only verb that uses the "
            "network.\n\n"
            "Example: darkstats download 10.17182/hepdata.89408.v3/r2 -o sbottom",
            file=False, figures=False,
        ),
        "citation": Verb(
            request="CitationRequest", task="citation", panel="About",
            help="Print what to cite: darkstats, and the work that it stands on.\n\n"
            "Example: darkstats citation > darkstats.bib",
            file=False, figures=False,
        ),
    }
)  # fmt: skip

#: Verbs of several steps, with the words of their help.
GROUPS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "shards": (
            "Scans",
            "A scan on a batch system: plan it, run each shard as a job of its own, merge.\n\n"
            "Example: darkstats shards plan workspaces/alp -o job; "
            "darkstats shards run job --shard 0 --of 8; darkstats shards merge job",
        ),
        "template": (
            "Workspaces",
            "A likelihood out of histograms of your own: ROOT, CSV, NumPy.\n\n"
            "Example: darkstats template init; darkstats template build template.yaml -o "
            "my-search",
        ),
        "patchset": (
            "Workspaces",
            "Patch sets.\n\n"
            "Example: darkstats patchset create BkgOnly.json -p 'patch.*.json' -o patchset.json",
        ),
    }
)
