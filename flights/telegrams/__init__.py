"""Movement telegrams, as airlines and handling agents send them: MVT and MVA (IATA AHM 780), DIV (AHM 781).

`grammar` reads a text and says where it is wrong, `matching` finds the flight, `mapping` says which reports a
telegram is, `intake` records them and keeps what staff must look at, `drop_folder` takes files.

What the manuals prescribe is told by public texts:

- Times and days are UTC, and the day is that of the scheduled departure; the airport of movement is the one
  of departure for AD, ED, EO, NI, RR and FR, that of destination for AA, EA and EB, and for DIV the one of
  the intended landing: https://xwiki.avinor.no/x/c4C5Ag and its neighbours, which map AHM 780 and 781 element
  by element; "All dates/times expressed in UTC": https://ja.scribd.com/document/385362966/Aircraft-Movement-Message
- Forms and examples: https://www.oag.com/hubfs/Inbound-Services/OAG-MVT-MVA-DIV-Message-Types-and-Examples.pdf
- Delay codes (AHM 730) and the DL, EDL and DLA elements: https://en.wikipedia.org/wiki/IATA_delay_codes
"""
