#!/bin/sh
# The audio thread of a browser that runs as root gets real-time priority, and on a busy machine whole pages stall meanwhile. Other
# users' browsers may not raise their priority; here root's may not either.
exec setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice "$CHROMIUM" "$@"
