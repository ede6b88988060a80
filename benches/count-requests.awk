# Counts the requests in the log of a Wine server between the marks of bench-requests: for each pair
# of marks a line with its name, the requests for one unit, and which they are.
#
# A request has two lines, `TTTT: name( … )` and `TTTT: name() = …`, where TTTT is the thread.
# Requests of other threads do not count: those that do are the one that made the mark and those
# that it, or they, made, the threads of child processes included.

function is_request() {
    return $2 ~ /^[a-z_]+\($/ || ($2 ~ /^[a-z_]+\(\)$/ && $3 != "=")
}

function is_ours(thread) {
    while (thread != root && thread in maker) thread = maker[thread]
    return thread == root
}

function most_frequent(    request, most) {
    for (request in times) {
        if (most == "" || times[request] > times[most] || (times[request] == times[most] && request < most)) most = request
    }
    return most
}

$2 == "new_thread()" && match($0, /tid=[0-9a-f]+/) {
    maker[substr($0, RSTART + 4, RLENGTH - 4) ":"] = $1
}

match($0, /anonpipe-bench begin [^"]+ [0-9]+"/) {
    name = substr($0, RSTART + 21, RLENGTH - 22)
    units = name
    sub(/^.* /, "", units)
    sub(/ [0-9]+$/, "", name)
    root = $1
    total = 0
    split("", times)
    next
}

/anonpipe-bench end / {
    list = ""
    while ((request = most_frequent()) != "") {
        list = list sprintf("%s%s %.3g", list == "" ? "" : ", ", request, times[request] / units)
        delete times[request]
    }
    printf "%s\t%.3f\t%s\n", name, total / units, list
    units = 0
    next
}

units && is_request() && is_ours($1) {
    request = $2
    sub(/\(.*$/, "", request)
    times[request]++
    total++
}
