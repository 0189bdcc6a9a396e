"""Tables of the studies of the dual-neck autoencoder."""

from collections.abc import Sequence

from experiments.frame.measure.pathways import ON_FGSM
from experiments.frame.soundness import seeds_of
from experiments.frame.tables.attacks import compared
from experiments.frame.tables.table import Table, written
from jaxadv.plots.reduce import distinct
from jaxadv.results import Row, over_seeds, select

# The published names, as a table heads them.
RATES = {
    "any_correct": "any",
    "average_correct": "average",
    "dual_correct": "dual",
    "either_correct": "either",
    "dual_incorrect": "none",
    "det_correct": "det",
}


def reconstructions(rows: Sequence[Row]) -> Table:
    """On natural images: what the reconstructions are read as, their error, R² of the features."""
    header = ["variant", "seeds", *RATES.values(), "squared error", "R² 1→2", "held out 1→2"]
    lines = []
    for network in distinct(rows, "variant"):
        natural = select(rows, variant=network, attack=None)
        seeds = len(distinct(natural, "seed"))
        line = [network, seeds_of(natural, seeds)]
        line += [written(over_seeds(natural, metric=metric), seeds) for metric in RATES]
        error = over_seeds(natural, metric="squared_error")
        line.append("–" if error is None else f"{error.mean:.4f}")
        for metric in ("r_squared", "r_squared_held_out"):
            line.append(written(over_seeds(natural, metric=metric, features_of="2"), seeds))
        lines.append(line)
    return Table(
        "Reconstructions of natural images: mean ± 95 % interval over seeds", header, lines
    )


def survival(rows: Sequence[Row]) -> Table:
    """Under each attack in each combine: which reconstructions are still read rightly.

    Beside "any": its difference, paired by seed, from the first network's that was trained on such
    images, natural ones or FGSM.
    """
    networks = distinct(rows, "variant")
    header = ["attack", "combine", "eps", "variant", "images", "seeds", "any", f"− {networks[0]}"]
    header += list(RATES.values())[1:]
    lines = []
    for attack, combine in distinct(select(rows, metric="any_correct"), "attack", "combine"):
        if attack is None:
            continue
        for eps in distinct(select(rows, attack=attack), "eps"):
            here = select(rows, attack=attack, combine=combine, eps=eps)
            for network in networks:
                chosen = select(here, variant=network)
                if not chosen:
                    continue
                images = ", ".join(f"{n:,}" for n in distinct(chosen, "n")[:1])
                seeds = len(distinct(chosen, "seed"))
                line = [attack, combine, f"{eps:.3g}", network, images, seeds_of(chosen, seeds)]
                line.append(written(over_seeds(chosen, metric="any_correct"), seeds))
                first = next(n for n in networks if _on_fgsm(n) == _on_fgsm(network))
                base = [] if network == first else select(here, variant=first)
                line.append(compared(chosen, base, metric="any_correct"))
                others = list(RATES)[1:]
                line += [written(over_seeds(chosen, metric=name), seeds) for name in others]
                lines.append(line)
    title = (
        "Reconstructions read rightly under attack; difference paired by seed, of networks on FGSM "
        "images from the first of these"
    )
    matters = ("attack", "combine", "eps", "variant", "any", f"− {networks[0]}")
    return Table(title, header, lines, matters)


def _on_fgsm(network: str) -> bool:
    return network.endswith(ON_FGSM)


def single(rows: Sequence[Row]) -> Table:
    """Attacks on one pathway: how often the other errs where it errs."""
    header = ["attack", "eps", "variant", "transfer 1→2", "transfer 2→1"]
    lines = []
    for attack, eps in distinct(select(rows, metric="transfer_rate"), "attack", "eps"):
        for network in distinct(rows, "variant"):
            chosen = select(rows, metric="transfer_rate", attack=attack, eps=eps, variant=network)
            if chosen:
                seeds = len(distinct(chosen, "seed"))
                each = [over_seeds(chosen, target=target) for target in ("2", "1")]
                words = [written(value, seeds) for value in each]
                lines.append([attack, f"{eps:.3g}", network, *words])
    title = "Transfer between pathways, P(target wrong | source wrong), when one is attacked"
    return Table(title, header, lines)
