"""One policy of each kind, as small as it can be and still say something."""

EXAMPLES = {
    "dedupe": """\
policy: person-duplicates
kind: dedupe
responsible: anna@example.com
purpose: Nobody is written to twice
review_by: 2027-03-01
mode: ask
about: person
ignore: [free mail, shared mailboxes]
certain:
  - [email same]
likely:
  - [country same, job_title very similar]
outcome: review
""",
    "fields": """\
policy: person-basics
kind: fields
responsible: anna@example.com
purpose: Contact details agree in both CRMs
review_by: 2027-03-01
mode: ask
defines: person
records: {salesforce: [Contact, Lead], hubspot: contacts}
match: [stored id, email]
create:
  hubspot: {from: [Contact, Lead], when: [email is filled]}
first_time: fill blanks
losing_edit: revert
fields:
  email:     {salesforce: Email, hubspot: email, wins: salesforce, clean: email}
  job_title: {salesforce: Title, hubspot: jobtitle, wins: salesforce unless blank}
  country:   {salesforce: {Lead: Country, Contact: MailingCountry}, hubspot: country, wins: hubspot, clean: country}
""",
    "lifecycle": """\
policy: person-lifecycle
kind: lifecycle
responsible: anna@example.com
purpose: One funnel for both CRMs
review_by: 2027-03-01
mode: ask
about: person
stages:
  Lead:     {hubspot: lead, lead_status: [Open - Not Contacted, Working - Contacted]}
  MQL:      {hubspot: marketingqualifiedlead, lead_status: Marketing Qualified}
  Customer: {hubspot: customer}
moves:
  - {to: MQL, because: [job_title is filled], needs: [email, country]}
  - {to: Customer}
back: {approve: revops, reason: required}
""",
    "limits": """\
policy: daily-limits
kind: limits
responsible: anna@example.com
purpose: A mistake stays small
review_by: 2027-03-01
batch: {records: 200, percent: 5}
day: {creates: 200, owner_changes: 50, blanks: 10, stage_back: 0, opt_out: 200}
approve:
  otherwise: {people: 1, from: [revops]}
  owner_changes: {people: 2, from: [revops, lee@example.com]}
""",
    "people": """\
policy: our-people
kind: people
responsible: anna@example.com
purpose: Who approves, and who is who in both CRMs
review_by: 2027-03-01
time_zone: Europe/Berlin
groups:
  revops: [anna@example.com, ben@example.com]
people:
  kim@example.com: {salesforce_user: kim@example.com.prod}
""",
}
