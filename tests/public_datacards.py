"""Public datacards of Combine's documentation and tutorials: their numbers, with where they stand.

Facts of the repository cms-analysis/HiggsAnalysis-CombinedLimit, in a layout of our own.
Documented answers stand in ``docs/part3/commonstatsmethods.md``,
``docs/tutorial_stat_routines/stat_routines.md`` and ``test/references``.
"""

from __future__ import annotations

import numpy as np

CARDS = {
    # data/tutorials/counting/realistic-counting-experiment.txt
    "realistic": """imax 1
jmax 3
kmax 5
bin bin1
observation 0
bin bin1 bin1 bin1 bin1
process ggH qqWW ggWW others
process 0 1 2 3
rate 1.47 0.64 0.06 0.22
lumi lnN 1.11 - 1.11 -
xs_ggH lnN 1.16 - - -
WW_norm gmN 4 - 0.16 - -
xs_ggWW lnN - - 1.50 -
bg_others lnN - - - 1.30
""",
    # data/tutorials/counting/simple-counting-experiment.txt
    "simple": """imax 1
jmax 1
kmax 2
bin bin1
observation 0
bin bin1 bin1
process ggh4G Bckg
process 0 1
rate 4.76 1.47
deltaS lnN 1.20 -
deltaB lnN - 1.50
""",
    # data/ci/hybridnew_small_limit_counting.txt
    "small_limit": """imax 1
jmax 1
kmax 2
bin bin1
observation 0
bin bin1 bin1
process sig bkg
process 0 1
rate 47.60 1.47
deltaS lnN 1.20 -
deltaB lnN - 1.50
""",
    # data/tutorials/counting/realistic-multi-channel.txt
    "multi_channel": """imax 3
jmax *
kmax *
bin e_tau mu_tau e_mu
observation 517 540 101
bin e_tau e_tau e_tau mu_tau mu_tau mu_tau e_mu e_mu e_mu
process higgs ZTT QCD higgs ZTT QCD higgs ZTT other
process 0 1 2 0 1 2 0 1 2
rate 0.34 190 327 0.57 329 259 0.15 88 14
lumi lnN 1.11 - - 1.11 - - 1.11 - 1.11
tauid lnN 1.23 1.23 - 1.23 1.23 - - - -
ZtoLL lnN - 1.04 - - 1.04 - - 1.04 -
effic lnN 1.04 1.04 - 1.04 1.04 - 1.04 1.04 1.04
QCDel lnN - - 1.20 - - - - - -
QCDmu lnN - - - - - 1.10 - - -
other lnN - - - - - - - - 1.1
""",
    # data/tutorials/CAT23001/datacard-1-counting-experiment.txt
    "paper_counting": """imax 1
jmax 2
kmax 3
bin ch1
observation 0
bin ch1 ch1 ch1
process ppX WW tt
process 0 1 2
rate 1.47 0.64 0.22
lumi lnN 1.11 1.11 1.11
xs lnN 1.20 - -
nWW gmN 4 - 0.16 -
""",
    # data/tutorials/CAT23001/datacard-5-multi-signal.txt
    "multi_signal": """imax 2
jmax 2
kmax *
shapes * dijet FAKE
shapes * incl FAKE
bin incl dijet
observation 166 8
bin incl incl incl dijet dijet dijet
process ggH_hgg qqH_hgg bkg ggH_hgg qqH_hgg bkg
process -1 0 1 -1 0 1
rate 21 1.6 140 0.4 0.95 3.2
QCDscale_ggH lnN 1.12 - - 1.12 - -
pdf_gg lnN 1.08 - - 1.08 - -
pdf_qqbar lnN - 1.025 - - 1.025 -
bg_incl lnN - - 1.05 - - -
""",
    # data/tutorials/statistical_routines_tutorial/datacard.txt
    "routines": """imax 1
jmax 1
kmax 3
shapes * * FAKE
bin bin1
observation 6
bin bin1 bin1
process ggH WW
process 0 1
rate 2.3 5.4
lumi lnN 1.01 1.01
xs_ggH lnN 1.10 -
xs_WW lnN - 1.16
""",
    # data/tutorials/groupnuisA.txt
    "groups": """imax 1
jmax 1
kmax *
bin hww
observation 18
bin hww hww
process ggH bkgww
process 0 1
rate 11 7
lumi lnN 1.05 -
theo_ggH lnN 1.10 -
theo_bkgww lnN - 1.10
exp_systww lnN 1.05 1.05
MCstatww lnN 1.01 -
theo group = theo_bkgww theo_ggH
stat group = MCstatww
equals group = lumi
equals group += lumi MCstatww
""",
    # docs/part5/longexercise.md, datacard_part1.txt
    "long_exercise": """imax 1
jmax 4
kmax *
bin signal_region
observation 10.0
bin signal_region signal_region signal_region signal_region signal_region
process ttbar diboson Ztautau jetFakes bbHtautau
process 1 2 3 4 0
rate 4.43803 3.18309 3.7804 1.63396 0.711064
CMS_eff_b lnN 1.02 1.02 1.02 - 1.02
CMS_eff_t lnN 1.12 1.12 1.12 - 1.12
CMS_eff_t_highpt lnN 1.1 1.1 1.1 - 1.1
acceptance_Ztautau lnN - - 1.08 - -
acceptance_bbH lnN - - - - 1.05
acceptance_ttbar lnN 1.005 - - - -
norm_jetFakes lnN - - - 1.2 -
xsec_diboson lnN - 1.05 - - -
""",
    # issue 161 of the repository, card_CR.txt
    "control_region": """imax 2
jmax 2
kmax 1
shapes * * FAKE
bin SR CR
observation 12 10
bin SR SR SR CR
process sig bkg1 bkg2 bkg2
process 0 1 2 2
rate 5 10 5 10
lumi lnN 1.02 1.02 1.02 -
bkg2_norm rateParam * bkg2 1.0 [0,10]
""",
    # issue 161 of the repository, card_gmN.txt
    "gamma": """imax 1
jmax 2
kmax 2
shapes * * FAKE
bin SR
observation 12
bin SR SR SR
process sig bkg1 bkg2
process 0 1 2
rate 5 10 5
lumi lnN 1.02 1.02 1.02
bkg2_norm gmN 10 - - 0.5
""",
    # docs/part2/settinguptheanalysis.md, data/tutorials/shapes/simple-shapes-TH1.txt
    "shapes": """imax 1
jmax 1
kmax *
shapes * * simple-shapes.root $PROCESS $PROCESS_$SYSTEMATIC
bin bin1
observation 85
bin bin1 bin1
process signal background
process 0 1
rate 10 100
lumi lnN 1.10 1.0
bgnorm lnN 1.00 1.3
alpha shape - 1
sigma shape 0.5 -
""",
}
#: Other counts and rates of the tutorial: datacard_obs12, _underfluctuation, _lowbackground.
CARDS["routines_12"] = CARDS["routines"].replace("observation 6", "observation 12")
CARDS["routines_under"] = (
    CARDS["routines"].replace("observation 6", "observation 13").replace("2.3 5.4", "2.3 23.4")
)
CARDS["routines_low"] = (
    CARDS["routines"].replace("observation 6", "observation 0").replace("2.3 5.4", "2.3 1")
)

#: data/tutorials/shapes/simple-shapes-df_input.csv, to six digits.
TEMPLATES = {
    "data_obs": [22, 14, 16, 13, 5, 5, 5, 3, 2, 0],
    "background": [
        27.2762, 20.2067, 14.9695, 11.0897, 8.21543, 6.08614, 4.50872, 3.34014, 2.47444, 1.83311,
    ],
    "background_alphaDown": [
        30.2248, 20.2603, 13.5809, 9.10353, 6.10228, 4.09048, 2.74193, 1.83797, 1.23203, 0.825854,
    ],
    "background_alphaUp": [
        24.1087, 19.7386, 16.1606, 13.2311, 10.8327, 8.8691, 7.26141, 5.94514, 4.86747, 3.98515,
    ],
    "signal": [
        1.07699e-06, 0.00015984, 0.00872697, 0.175286, 1.2952, 3.52071, 3.52071, 1.2952, 0.175286,
        0.00872697,
    ],
    "signal_sigmaDown": [
        2.24052e-13, 6.05236e-09, 2.12415e-05, 0.00968571, 0.573802, 4.41649, 4.41649, 0.573802,
        0.00968571, 2.12415e-05,
    ],
    "signal_sigmaUp": [
        0.0068128, 0.0480349, 0.229162, 0.739744, 1.61575, 2.38792, 2.38792, 1.61575, 0.739744,
        0.229162,
    ],
}  # fmt: skip


def templates() -> dict[str, np.ndarray]:
    return {name: np.array(values, dtype=float) for name, values in TEMPLATES.items()}
