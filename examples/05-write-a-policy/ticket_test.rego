package merge.ticket_test

import data.merge.ticket

parameters := {"project": "SHOP"}

test_a_ticket_is_enough if {
	count(ticket.deny) == 0 with input as {"change": {"title": "SHOP-17: Round prices"}, "parameters": parameters}
}

test_without_one_it_is_denied if {
	some found in ticket.deny with input as {"change": {"title": "Round prices"}, "parameters": parameters}
	found.msg == "the title names no ticket"
}

test_another_projects_ticket_is_none if {
	count(ticket.deny) == 1 with input as {"change": {"title": "HR-1: Round prices"}, "parameters": parameters}
}
