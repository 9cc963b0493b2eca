"""The words the made-up part of the studio is made of: people, vendors, titles, things to do."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIVEN_NAMES = _words(
    """
    Maria João Zoë Ines Tomás Åsa Björn Chloé Dmitri Eleni Femi Giulia Hana Ibrahim Jürgen
    Keiko Leila Mateo Niamh Olga Priya Quentin Rosa Søren Tariq Uma Valentina Wei Ximena
    Yusuf Zainab Aarav Beatriz Carlos Deepa Emeka Fatima Grace Henrik Isla Jamal Kofi Linh
    Mehmet Nadia Oscar Paula Rania Sanjay Thandiwe Ulla Viktor Wanjiru Yara
    """
)

FAMILY_NAMES = _words(
    """
    Silva Okafor Lindqvist Nguyễn Müller Rossi Papadopoulos Kowalski Ó'Briain Haddad Tanaka
    Kim García Dubois Novák Jensen Hansen Ivanova Mensah Patel Sharma Fernández Björnsdóttir
    Çelik Adeyemi Castellanos Duarte Eriksen Fontaine Grimaldi Horváth Iyer Jovanović Kaplan
    Larsen Moreau Nakamura Oyelaran Popescu Quispe Reyes Sørensen Takahashi Ueda Vasquez
    Weiss Xu Yilmaz Zhang Abebe Baptiste Cohen Delgado Ellis Farouk Gupta Hoffmann Ishikawa
    Johansson Khoury
    """
)

UNUSUAL_NAMES = (
    "王小明",
    "김민지",
    "さくら ももこ",
    "אורי לוי",
    "ليلى حداد",
    "प्रिया शर्मा",
    "Анна Каренина",
    "Ðorđe Đoković",
    "Null",
    "True North",
)

GUILDS = ("DGA", "PGA", "SAG-AFTRA", "WGA", "IATSE", "Equity", None)

DESKS = ("@home", "Stage 4", "Stage 9", "Annex B", "Backlot gate", "Edit bay 12", None)

ADJECTIVES = _words(
    """
    Blue Paper Silent Copper Hollow Velvet Broken Golden Winter Crooked Electric Distant
    Burning Amber Salt Hidden Iron Lonely Midnight Northern Painted Quiet Restless Scarlet
    Tidal
    """
)

NOUNS = _words(
    """
    Heron Moons Harbour Orchard Lantern Compass Meridian Garden Signal River Ember Citadel
    Sparrow Mirror Station Glacier Kite Ledger Monsoon Needle Oracle Piano Quarry Rooftop
    Sundial
    """
)

UNUSUAL_TITLES = (
    "夜の桜",
    "Луна",
    "🦀 Crab Season",
    "Ñandú",
    "L'Été: deux fois",
    "서울의 밤",
    "Øy",
)

VENDOR_KINDS = ("VFX", "SOUND", "CATERING", "COSTUME", "TRANSPORT", "SECURITY", "EQUIPMENT")

VENDOR_WORDS = {
    "VFX": ("Pixel Foundry", "Render Works", "Matte & Co", "Frame Nine"),
    "SOUND": ("Foley House", "Reverb Rooms", "Quiet Please", "Boom Brothers"),
    "CATERING": ("Second Breakfast", "Craft & Table", "Hot Plates", "The Tea Trolley"),
    "COSTUME": ("Thread Count", "Period Pieces", "Cloak Room", "Needle & Sons"),
    "TRANSPORT": ("Honeywagon", "Long Haul", "Unit Wheels", "Crane & Truck"),
    "SECURITY": ("Night Watch", "Set Guard", "Closed Set", "Barrier One"),
    "EQUIPMENT": ("Lens Library", "Grip Depot", "Dolly Track", "Gaffer & Daughter"),
    "INSURANCE": ("Completion Mutual", "Fair Weather Bonds", "Lloyd & Lens", "Safe Take"),
}

COMPANY_FORMS = ("Ltd", "Inc.", "GmbH", "S.A.", "AS", "Pty Ltd", "K.K.", "LLC")

TASKS = {
    "Production": ("Clear permit for", "Lock call sheet for", "Close road at", "Book unit base at"),
    "Art": ("Dress set of", "Source props for", "Repaint", "Strike set of"),
    "Camera": ("Test lenses for", "Prep second body for", "Book drone day at", "Return kit from"),
    "Costume": ("Fit extras for", "Age jackets for", "Launder after", "Dye uniforms for"),
    "Sound": ("Record wild track at", "Book ADR for", "Clear song in", "Check generator noise at"),
    "Legal": ("Clear title of", "Renew option for", "Chase release form for", "Review rider for"),
    "Post": ("Conform reel of", "Turn over VFX shots of", "Grade", "Deliver subtitles of"),
    "Travel": ("Book flights for", "Get visas for", "Move hotel for", "Hire vans for"),
}

TASK_SUBJECTS = (
    "the harbour scene",
    "the train fight",
    'scene 12A ("the letter")',
    "episode 3: night market",
    "the café",
    "the rooftop chase",
    "the wedding, part 2",
    "stunt rehearsal",
    "crowd day 4",
    "the storm",
    "the opening shot",
    "the trailer",
)

NOTES = (
    "Weather cover is booked; the tide table is not.",
    "Director wants one more day at the harbour.",
    "Budget holds if we lose the crane.",
    "Insurance asked again about the horses 🐎",
    "Waiting for the city: they answer on Thursdays.",
    "Lead is double-booked in week 3, agent is on it.",
    "VFX bid came in 8% under.",
    "Moved the night market to stage 4.",
    "Everyone happy with the camera test.",
    "Two lines:\nfirst unit stays, second unit moves.",
    'Working title leaked; please say "the heron film".',
    "-> see the revised one-liner",
)

CHARACTERS = (
    "Ada",
    "The Stranger",
    "Captain Ruiz",
    "Young Ada",
    "Mme. Petit",
    "Inspector Bo",
    None,
)
