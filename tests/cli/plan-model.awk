# usage: awk -v seed=N -v commands=N -f plan-model.awk
#
# The rules of plans as a model: a plan of six products and random commands on
# it.  Prints a line per command, TAB between:
#   COMMAND   what fletcher-plan is given, but for "publish OPTIONS"
#   PRODUCTS  of a publish, such as "a b!" (b! is not eager); else "-"
#   EDGES     of a publish, such as "a>b"; else "-"
#   0 or 1    whether it is refused
#   STATES    how the products stand then: "a=queued b=waiting ..."

function pick(n) { return int(rand() * n) + 1 }
function live(i) { return state[i] != "disabled" }

# Are all live parents of i done?
function done_above(i,  p) {
	for (p = 1; p <= N; p++)
		if (edge[p, i] && live(p) && state[p] != "success")
			return 0
	return 1
}

function trigger(  i) {
	for (i = 1; i <= N && !paused; i++)
		if (state[i] == "waiting" && eager[i] && done_above(i))
			state[i] = "queued"
}

# below[]: what is downstream of those in listed[], by the live products.
function find_below(  again, p, c) {
	split("", below)
	for (again = 1; again;) {
		again = 0
		for (p = 1; p <= N; p++)
			for (c = 1; c <= N; c++)
				if (edge[p, c] && live(p) && live(c) && !(c in below) &&
				    (p in listed || p in below)) {
					below[c] = 1
					again = 1
				}
	}
}

function reset_below(  i) {
	find_below()
	for (i in below)
		if (state[i] != "waiting")
			state[i] = "waiting"
}

function cyclic(  i) {
	for (i = 1; i <= N; i++) {
		split("", listed)
		listed[i] = 1
		find_below()
		if (i in below)
			return 1
	}
	return 0
}

function save(  i, k) {
	old_paused = paused
	for (i = 1; i <= N; i++) {
		old_state[i] = state[i]
		old_eager[i] = eager[i]
		for (k = 1; k <= N; k++)
			old_edge[i, k] = edge[i, k]
	}
}

function restore(  i, k) {
	paused = old_paused
	for (i = 1; i <= N; i++) {
		state[i] = old_state[i]
		eager[i] = old_eager[i]
		for (k = 1; k <= N; k++)
			edge[i, k] = old_edge[i, k]
	}
}

function do_update(  n, i, to, same) {
	command = "update model"
	split("", moved)
	for (n = pick(5) == 1 ? 2 : 1; n > 0; n--) {
		i = pick(N)
		to = substr("running success success failed ", (pick(4) - 1) * 8 + 1, 8)
		sub(/ .*/, "", to)
		if (to == "")
			to = "failed"
		command = command " " name[i] "=" to
		if (!live(i))
			refused = 1
		else if (state[i] != to) {
			state[i] = to
			moved[i] = 1
		}
	}
	split("", listed)
	for (i in moved)
		listed[i] = 1
	reset_below()
	trigger()
}

function do_verb(verb,  n, i, some) {
	command = verb " model"
	split("", some)
	for (n = pick(3) == 1 ? 2 : 1; n > 0; n--) {
		i = pick(N)
		if (i in some)
			continue
		some[i] = 1
		command = command " " name[i]
		if (!live(i) && verb != "enable")
			refused = 1
		else if (verb == "clear" || verb == "enable" && !live(i))
			state[i] = "waiting"
		else if (verb == "disable")
			state[i] = "disabled"
		else if (verb == "retry") {
			if (state[i] != "success" && state[i] != "failed")
				refused = 1
			else
				state[i] = done_above(i) ? "queued" : "waiting"
		} else if (verb == "trigger") {
			if (state[i] == "success" || state[i] == "failed" ||
			    state[i] == "waiting" && !done_above(i))
				refused = 1
			else if (state[i] == "waiting")
				state[i] = "queued"
		}
	}
	if (verb == "enable" && cyclic())
		refused = 1
	split("", listed)
	if (verb == "clear" || verb == "retry")
		for (i in some)
			listed[i] = 1
	reset_below()
	trigger()
}

function do_pause() {
	paused = pick(3) == 1
	command = (paused ? "pause" : "unpause") " model"
	trigger()
}

function do_publish(  prune, i, k, n, a, b, there, given, were) {
	prune = pick(4) == 1
	command = "publish" (prune ? " --prune" : "")
	products = edges = ""
	split("", there)
	split("", given)
	for (i = 1; i <= N; i++) {
		if (live(i) && !prune)
			there[i] = 1
		if (pick(2) == 1)
			continue
		there[i] = given[i] = 1
		eager[i] = pick(4) > 1
		products = products " " name[i] (eager[i] ? "" : "!")
	}
	split("", were) # the edges that stay, and those of the file
	for (i = 1; i <= N; i++)
		for (k = 1; k <= N; k++)
			if (edge[i, k] && !prune)
				were[i, k] = 1
	for (i = 1; i <= N; i++)
		for (k = 1; k <= N; k++)
			edge[i, k] = (i, k) in were && live(i) && live(k)
	for (n = pick(4) - 1; n > 0; n--) {
		a = pick(N)
		b = pick(N)
		if (a > b && pick(5) > 1) {
			i = a; a = b; b = i
		}
		if (index(edges " ", " " name[a] ">" name[b] " "))
			continue
		edges = edges " " name[a] ">" name[b]
		if (!(a in there) || !(b in there))
			refused = 1
		edge[a, b] = were[a, b] = 1
	}
	# What the file lists counts as part of the graph, even if it stays disabled.
	for (i in given)
		if (!live(i))
			state[i] = "waiting"
	if (cyclic())
		refused = 1
	for (i = 1; i <= N; i++) {
		if (prune && !(i in given))
			state[i] = "disabled"
		else if (old_state[i] == "disabled")
			state[i] = "disabled"
		for (k = 1; k <= N; k++)
			edge[i, k] = (i, k) in were
	}
	products = products == "" ? " " : products
	edges = edges == "" ? " " : edges
	trigger()
}

function states(  i, text) {
	for (i = 1; i <= N; i++)
		text = text (i > 1 ? " " : "") name[i] "=" state[i]
	return text
}

function emit() {
	if (refused)
		restore()
	printf "%s\t%s\t%s\t%d\t%s\n", command, products, edges, refused, states()
}

BEGIN {
	N = split("a b c d e f", name, " ")
	srand(seed)
	for (i = 1; i <= N; i++) {
		state[i] = "waiting"
		eager[i] = 1
	}
	command = "publish"
	products = "a b c d e f"
	edges = "a>b b>c a>d d>e"
	edge[1, 2] = edge[2, 3] = edge[1, 4] = edge[4, 5] = 1
	trigger()
	emit()
	split("clear retry disable enable enable trigger", verbs, " ")
	for (count = 1; count < commands; count++) {
		save()
		refused = 0
		products = edges = "-"
		kind = pick(14)
		if (kind == 1)
			do_publish()
		else if (kind == 2)
			do_pause()
		else if (kind <= 6)
			do_verb(verbs[pick(6)])
		else
			do_update()
		emit()
	}
}
