"""Word lists of the demo world: our own text, from which every sentence of the corpus is built."""


def _phrases(text: str) -> list[str]:
    """The entries of a list that are parted by bars and line ends, so that each may hold several words."""
    return text.strip().replace("\n", "|").split("|")


def _pairs(text: str) -> list[tuple[str, str]]:
    """The entries of a list of pairs such as hot/cold."""
    return [(one, other) for one, other in (pair.split("/") for pair in text.split())]


FIRST_NAMES = """
Adam Adele Agnes Aisha Alan Albert Alice Amara Amir Amy Ana Andre Andrea Angela Anita Anna Anton Arjun Arthur Astrid
Beatrice Ben Benita Bernard Beth Bianca Boris Brenda Brian Bruno Camila Carla Carlos Caroline Cecilia Chen Chloe Clara
Claude Colin Connor Dalia Damian Daniel Daria David Deborah Derek Diana Diego Dmitri Dora Dorothy Dylan Edgar Edith
Edward Elena Eli Elias Elise Ella Emil Emily Emma Eric Erin Esther Ethan Eva Evan Fatima Felix Finn Fiona Flora Frank
Freya Gabriel Gemma George Gina Grace Greta Gustav Hana Hannah Harold Harry Hassan Hazel Heidi Helen Henry Hilda Hugo
Ian Ibrahim Ida Igor Ines Ingrid Irene Iris Isaac Isabel Ivan Ivy Jack Jacob James Jana Jane Jasmine Jason Javier Jean
Jenna Joan Joel John Jonas Joseph Joyce Juan Judith Julia Julian June Kai Kara Karen Karim Karl Kate Kenji Kevin Kira
Kofi Lara Laura Leah Leila Lena Leo Leon Liam Lily Linda Lionel Lisa Louis Lucas Lucia Luis Luna Lydia Mabel Magnus
Malik Marco Margaret Maria Marie Mario Mark Martha Martin Mary Matteo Maya Megan Mei Mia Michael Mila Miriam Mohamed
Mona Monica Nadia Naomi Natalie Nathan Nelson Niam Nicholas Nina Noah Nora Odette Olga Oliver Olivia Omar Oscar Otto
Owen Paula Pedro Penelope Peter Petra Philip Priya Quentin Rachel Rafael Raj Ralph Ravi Rebecca Renee Rhea Richard Rita
Robert Robin Rosa Rose Roy Ruby Ruth Ryan Sally Sam Samira Sandra Sara Sasha Selma Simon Sofia Sonia Stella Stephen
Susan Sven Tamara Tara Tariq Teresa Theo Thomas Tim Tina Tobias Tom Tony Ursula Valerie Vera Victor Viola Walter Wanda
Wendy William Xavier Yara Yasmin Yuki Yusuf Yvonne Zara Zoe
""".split()

LAST_NAMES = """
Abbott Adams Ahmed Allen Anderson Archer Baker Banks Barnes Bauer Becker Bell Bennett Berg Bishop Black Blake Bosch
Bowman Bradley Brooks Brown Bryant Burke Burns Butler Byrne Campbell Carlson Carr Carter Castro Chapman Chavez Clark
Clarke Coleman Collins Cook Cooper Costa Cox Crawford Cruz Cunningham Dalton Daniels Davies Davis Dean Diaz Dixon
Douglas Doyle Duncan Dunn Edwards Elliott Ellis Evans Farrell Ferguson Fernandez Fischer Fisher Fletcher Flores Ford
Foster Fox Francis Fraser Freeman Fuller Garcia Gardner Gibson Gilbert Gomez Gonzalez Goodwin Gordon Graham Grant Gray
Green Griffin Gupta Hale Hall Hamilton Hansen Harper Harris Harrison Hart Harvey Hayes Henderson Hernandez Hill Hoffman
Holland Holmes Howard Hudson Hughes Hunt Hunter Ibrahim Iyer Jackson Jacobs Jansen Jenkins Jensen Johnson Jones Jordan
Joshi Kaplan Keller Kelly Kennedy Khan Kim King Klein Knight Koch Kumar Lambert Lane Larsen Lawson Lee Lewis Lin
Lindberg Lopez Lowe Lynch Malone Marsh Marshall Martin Martinez Mason Matthews May Mendoza Meyer Miles Miller Mills
Mitchell Moore Morales Moreno Morgan Morris Morrison Murphy Murray Myers Nash Navarro Nelson Newman Nguyen Nolan Novak
Obrien Okafor Olsen Ortega Osborne Owens Palmer Park Parker Patel Patterson Payne Pearson Perez Perry Peters Petrov
Phillips Pierce Pope Porter Powell Price Quinn Ramirez Ramos Reed Reid Reyes Reynolds Rice Richards Riley Rivera
Roberts Robinson Rogers Romero Rose Ross Rossi Russell Ryan Salazar Sanders Santos Sato Schmidt Schneider Scott Shah
Sharma Shaw Silva Simmons Singh Smith Snyder Sokolov Spencer Stevens Stewart Stone Sullivan Suzuki Tanaka Taylor Thomas
Thompson Torres Tucker Turner Vargas Vega Wagner Walker Wallace Walsh Wang Ward Warren Watson Weaver Webb Weber Wells
West Wheeler White Williams Willis Wilson Winter Wolf Wong Wood Woods Wright Yamada Yang York Young Zhang Zimmermann
""".split()

CITIES = """
Aberdeen Accra Adelaide Algiers Amman Amsterdam Ankara Antwerp Athens Atlanta Auckland Austin Baghdad Baltimore Bangkok
Barcelona Basel Beirut Belfast Belgrade Bergen Berlin Bern Bilbao Bogota Bologna Bordeaux Boston Bremen Brisbane
Bristol Brussels Bucharest Budapest Cairo Calgary Cardiff Caracas Chennai Chicago Cologne Copenhagen Cork Dakar Dallas
Damascus Delhi Denver Detroit Doha Dresden Dubai Dublin Durban Edinburgh Florence Frankfurt Galway Geneva Genoa Ghent
Glasgow Granada Graz Hamburg Hanoi Havana Helsinki Houston Istanbul Jakarta Kabul Kampala Karachi Kiev Kingston Krakow
Kyoto Lagos Lahore Leeds Leipzig Lima Lisbon Liverpool London Luanda Lusaka Lyon Madrid Malaga Manchester Manila
Marseille Melbourne Memphis Miami Milan Minsk Monaco Montreal Moscow Mumbai Munich Nairobi Nantes Naples Nice Odessa
Osaka Oslo Ottawa Oxford Palermo Paris Perth Phoenix Porto Portland Prague Quito Reykjavik Riga Rome Rotterdam Salzburg
Santiago Seattle Seoul Seville Sofia Stockholm Stuttgart Sydney Tallinn Tokyo Toledo Toronto Toulouse Trieste Tripoli
Tunis Turin Utrecht Valencia Vancouver Venice Verona Vienna Vilnius Warsaw Winnipeg Zagreb Zurich
""".split()

# Every item takes a plain "s" in the plural.
ITEMS = _phrases("""
lamp|desk lamp|floor lamp|chair|office chair|garden chair|table|side table|bookcase|desk|mirror|carpet|curtain|pillow
blanket|towel|mattress|kettle|toaster|blender|mixer|coffee machine|teapot|frying pan|cooking pot|bowl|plate|cup
wine glass|spoon|bread bin|water filter|vacuum cleaner|heater|fan|air cooler|laptop|tablet|phone|phone case|charger
power bank|keyboard|monitor|printer|ink cartridge|scanner|router|camera|tripod|microphone|headset|speaker|radio
projector|memory card|hard drive|cable|adapter|watch|alarm clock|wall clock|calculator|backpack|suitcase|handbag|wallet
umbrella|raincoat|jacket|sweater|shirt|hat|cap|belt|bicycle|bicycle pump|helmet|scooter|skateboard|tent|sleeping bag
hammock|torch|compass|water bottle|lunch box|hammer|drill|saw|ladder|toolbox|paint roller|bucket|spade|rake
garden hose|flower pot|bird feeder|lawn mower|guitar|violin|piano stool|drum|flute|notebook|calendar|pencil case|marker
folder|stapler|globe|novel|cookbook|puzzle|board game|chess set|football|tennis racket|yoga mat|dumbbell|rowing machine
""")

MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
COLOURS = "red blue green black white grey brown yellow purple pink silver golden dark light".split()
RELATIVES = """brother sister neighbour friend boss mother father uncle aunt cousin son daughter colleague wife husband
grandfather grandmother flatmate teacher landlord""".split()
ROOMS = "kitchen office garage garden bedroom hallway cellar attic bathroom library workshop balcony".split()
JOBS = """nurse teacher baker driver painter plumber gardener lawyer pilot waiter farmer editor engineer carpenter
librarian mechanic designer translator dentist cook photographer accountant electrician tailor musician
biologist programmer cleaner salesman architect""".split()
ANIMALS = "dog cat horse rabbit parrot goat duck hamster pony turtle hen sheep donkey canary goldfish".split()
FOODS = """bread soup rice pasta salad cheese fish chicken apples pears tomatoes potatoes carrots eggs pancakes cake
honey beans mushrooms lemons onions noodles yoghurt porridge plums grapes""".split()
TRANSPORT = "train bus car plane ferry taxi bicycle tram coach van".split()
WEATHER = "sunny rainy windy cloudy foggy stormy cold warm hot icy snowy mild".split()
VENUES = _phrases("""
meeting room|canteen|town hall|main office|library|hotel lobby|school hall|small cafe|conference room
warehouse|training centre|back office
""")

TOPICS = _phrases("""
the budget|the launch|the new website|the hiring plan|office security|the design of the logo|the sales figures
the training week|the test results|the shipping delays|customer support|the marketing plan|the summer party
the parking problem|the heating costs|the new price list|the travel rules|the safety check|the opening hours
the staff survey|the printer contract|the product photos|the holiday calendar|the warehouse move|the data backup
the recycling scheme|the trade fair|the newsletter|the lunch menu|the phone system|the annual report|the school trip
the library hours|the bus timetable|the insurance claim|the charity run|the cleaning rota|the software update
the supplier contract|the delivery routes|the museum visit|the concert programme|the repair backlog|the return policy
the garden project|the night shifts|the user manual|the loan request|the building permit|the mobile app
""")

# What people decide: a verb phrase in the base form = verb + object + optional tail.
DECISION_VERBS = _phrases("""
ask for|buy|rent|order|test|cancel|delay|extend|review|replace|repaint|publish|rewrite|print|move
share|check|close|open|start|compare|collect|sell|train|hire|invite|call|update|remove|plan
""")
DECISION_OBJECTS = _phrases("""
a second offer|two testers|a new van|the old contract|the first draft|a larger room|the price list
three laptops|a short survey|the project plan|all open tickets|a weekly report|the main entrance|the backup server
four volunteers|a local printer|the summer schedule|the spare parts|a better camera|the customer list|the front page
the cheaper supplier|the pilot phase|a night guard|the order form|the welcome letter|a guest speaker|the test plan
the storage room|five new desks|the office rules|a safety officer|the team photos|an outside expert
""")
DECISION_TAILS = _phrases("""
this week|next week|next month|before the summer|in the spring|by Friday|by Monday|after the holidays
at the end of the month|within ten days|without delay|step by step|as a trial|at once|in small groups
""")

FAULTS = _phrases("""
cracked|stopped working|started to leak|broke|lost its colour|got stuck|caught fire|fell apart|became very loud
would not switch on|began to smell|lost a screw|was badly scratched|arrived without a plug|overheated
""")
REMEDIES = _phrases("""
repaired|replaced|refunded|exchanged|cleaned|picked up|sent back|tested again|checked by an expert
returned
""")
PURPOSES = _phrases("""
visit a friend|see a doctor|attend a wedding|look for a flat|start a course|watch a concert|sign a contract
repair a boat|meet a client|give a talk|buy a piano|sell a house|join a choir|visit the museum|run a marathon
pick up a dog|learn to sail|help a cousin|write a book|study the birds|collect a prize
""")

GOOD = """
great lovely fast reliable excellent wonderful superb solid brilliant comfortable sturdy perfect quiet sharp
delightful handy beautiful smooth clever fantastic tidy elegant gentle friendly helpful""".split()
BAD = """
awful slow broken terrible useless noisy flimsy poor faulty uncomfortable disappointing dim scratched unreliable
bulky ugly wobbly dirty rude careless confusing sticky dull crooked""".split()
OPPOSITES = _pairs("""
hot/cold big/small fast/slow old/new high/low early/late open/closed full/empty light/dark wet/dry
loud/quiet strong/weak rich/poor hard/soft long/short thick/thin clean/dirty happy/sad near/far deep/shallow
sweet/bitter heavy/light smooth/rough wide/narrow young/old safe/dangerous cheap/expensive simple/difficult
""")
CAPITALS = _pairs("""
France/Paris Germany/Berlin Italy/Rome Spain/Madrid Portugal/Lisbon Austria/Vienna Norway/Oslo
Sweden/Stockholm Denmark/Copenhagen Finland/Helsinki Greece/Athens Hungary/Budapest Poland/Warsaw Ireland/Dublin
Belgium/Brussels Egypt/Cairo Kenya/Nairobi Ghana/Accra Peru/Lima Cuba/Havana Japan/Tokyo Bulgaria/Sofia
Estonia/Tallinn Latvia/Riga Lithuania/Vilnius Croatia/Zagreb Serbia/Belgrade Uganda/Kampala Zambia/Lusaka
Tunisia/Tunis Libya/Tripoli Jordan/Amman Iceland/Reykjavik Canada/Ottawa
""")
KINDS = {
    "fruit": "apple pear plum lemon cherry banana peach grape mango melon".split(),
    "animal": "dog cat horse rabbit goat duck sheep turtle lion tiger".split(),
    "colour": "red blue green black white grey brown yellow orange purple".split(),
    "tool": "hammer drill saw spade rake ladder bucket screwdriver".split(),
    "instrument": "guitar violin piano drum flute trumpet cello harp".split(),
    "vehicle": "car bus train ferry plane tram van bicycle".split(),
    "garment": "jacket shirt hat sweater coat scarf belt sock".split(),
    "vegetable": "carrot onion potato tomato bean cabbage leek pepper".split(),
}
