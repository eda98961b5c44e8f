#!/bin/sh
# Sound that a browser of root plays goes before all else on the machine, and on a full one whole pages stand still meanwhile. Nobody
# else's browser may take such priorities; here it may not either.
exec setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice "$CHROMIUM" "$@"
