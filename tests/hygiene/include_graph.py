"""The direction of includes: who may include what, by the tables below.

Usage: include_graph.py <project root>
"""

import sys
from fnmatch import fnmatchcase

from tree import HEADER_ONLY_PART, INCLUDE, Tree, report

# Zone of a header (first pattern that matches) -> what it may include of ours. A header may also include its own body,
# under LAYERSCOPE_HEADER_ONLY. A body lies in the zone of that header and may include other bodies; see zone_of().
ZONES = [
    ("layerscope/layerscope.hpp", "umbrella", ["*"]),
    ("layerscope/fwd.hpp", "forward", ["layerscope/config.hpp"]),
    ("layerscope/version.hpp", "root", []),
    ("layerscope/config.hpp", "root", ["layerscope/version.hpp"]),
    ("layerscope/core/*", "core", ["core"]),
    ("layerscope/adapters/*", "adapters", ["core", "adapters"]),
    ("layerscope/readers/*", "readers", ["core", "readers"]),
    ("layerscope/algorithms/*", "algorithms", ["core", "algorithms"]),
    ("layerscope/models/*", "models", ["core", "models"]),
    ("layerscope/sinks/*", "sinks", ["core", "sinks"]),
    ("layerscope/recorder.hpp", "recorder", ["core", "layerscope/sinks/sink.hpp"]),
    (
        "layerscope/snapshot/*",
        "snapshot",
        ["core", "recorder", "probe", "algorithms", "snapshot", "layerscope/sinks/sink.hpp"],
    ),
    ("layerscope/probe.hpp", "probe", ["core"]),
]

# Bodies may use what their header must not show. The recorder's opens a run directory, which means file
# sinks.
BODY_EXTRA = {"recorder": ["sinks"]}

# Internals of one group that no other group may use.
PRIVATE = [(f"layerscope/{group}/detail/*", {group, "impl"}) for group in ("algorithms", "readers", "sinks")]

# Foreign header -> where it may be included.
BODIES = ["layerscope/impl/*"]
FOREIGN = [
    ("Eigen/*", BODIES + ["layerscope/algorithms/detail/*", "layerscope/adapters/eigen*.hpp"]),
    ("nlohmann/*", BODIES),
    ("stb_*", BODIES),
    ("zlib.h", BODIES),
    ("libdeflate.h", BODIES),
    ("thread", BODIES),
    ("mutex", BODIES + ["layerscope/adapters/torch*.hpp"]),
    ("chrono", BODIES),
    ("iostream", BODIES),
    ("fstream", BODIES),
    ("filesystem", BODIES),
    ("regex", BODIES),
    ("torch/*", ["layerscope/adapters/torch*.hpp"]),
    ("ATen/*", ["layerscope/adapters/torch*.hpp"]),
    ("c10/*", ["layerscope/adapters/torch*.hpp"]),
    ("opencv2/*", ["layerscope/adapters/opencv*.hpp"]),
    ("xtensor*", ["layerscope/adapters/xtensor*.hpp"]),
    ("armadillo", ["layerscope/adapters/armadillo*.hpp"]),
    ("dlib/*", ["layerscope/adapters/dlib*.hpp"]),
    ("mdspan", ["layerscope/adapters/mdspan*.hpp"]),
    ("dlpack/*", ["layerscope/adapters/dlpack*.hpp"]),
    ("mpi.h", ["layerscope/adapters/mpi*.hpp"]),
    ("omp.h", []),
]


GROUPS = {"adapters", "readers", "algorithms", "models", "sinks"}


def headers_by_body(tree):
    """Body -> the header that includes it when header-only."""
    owners = {}
    for header in tree.headers():
        if not header.startswith("layerscope/impl/"):
            for part in HEADER_ONLY_PART.findall(tree.text(header)):
                owners.update({body: header for _, body in INCLUDE.findall(part)})
    return owners


def zone_of(tree, header, owners):
    """(zone, allowed) of a header, or (None, []) when the tables do not know it. A body that several others share has
    no header of its own; it may use core and one group."""
    if header.startswith("layerscope/impl/"):
        if header in owners:
            zone, allowed = zone_of(tree, owners[header], owners)
            return zone, [*allowed, zone, "impl", *BODY_EXTRA.get(zone, [])]
        used = {simple_zone(path) for _, path in tree.includes(header)} & GROUPS
        return "impl", ["core", "impl", *sorted(used)[:1]]
    for pattern, zone, allowed in ZONES:
        if fnmatchcase(header, pattern):
            return zone, allowed
    return None, []


def simple_zone(header):
    if header.startswith("layerscope/impl/"):
        return "impl"
    return next((zone for pattern, zone, _ in ZONES if fnmatchcase(header, pattern)), None)


def problems_of(tree):
    problems = []
    owners = headers_by_body(tree)
    for header in tree.headers():
        zone, allowed = zone_of(tree, header, owners)
        if zone is None:
            problems.append(f"{header}: belongs to no zone; expected one of the table in include_graph.py")
            continue
        for quote, path in tree.includes(header):
            if quote == '"':
                problems.append(f'{header}: "{path}" in quotes; expected <layerscope/...>')
                continue
            if not path.startswith("layerscope/"):
                for pattern, places in FOREIGN:
                    if fnmatchcase(path, pattern) and not any(fnmatchcase(header, place) for place in places):
                        problems.append(f"{header}: includes <{path}>; allowed only in {places or 'no header'}")
                continue
            if not (tree.include_dir / path).is_file():
                problems.append(f"{header}: includes <{path}>, which does not exist")
                continue
            if path == "layerscope/layerscope.hpp":
                problems.append(f"{header}: includes the umbrella; expected nobody to")
                continue
            if path in ("layerscope/config.hpp", "layerscope/fwd.hpp") and zone != "root":
                continue
            for pattern, users in PRIVATE:
                if fnmatchcase(path, pattern) and zone not in users:
                    problems.append(f"{header}: includes <{path}>, which is private to {sorted(users)}")
            if owners.get(path) == header or path in allowed or "*" in allowed:
                continue
            target = simple_zone(path)
            if target not in allowed:
                problems.append(f"{header}: {zone} includes <{path}> of {target}; allowed: {allowed}")
    return problems


if __name__ == "__main__":
    checked = Tree(sys.argv[1])
    report("include graph", problems_of(checked), len(checked.headers()))
