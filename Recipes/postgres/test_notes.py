import json
import os
import unittest
import urllib.request

URL = f"http://127.0.0.1:{os.environ['NOTES_PORT']}/notes"


class NotesTest(unittest.TestCase):
    def test_a_note_that_was_added_is_listed(self):
        before = json.load(urllib.request.urlopen(URL))
        request = urllib.request.Request(URL, data=json.dumps("buy bread").encode())
        self.assertEqual(urllib.request.urlopen(request).status, 201)
        self.assertEqual(json.load(urllib.request.urlopen(URL)), before + ["buy bread"])


unittest.main()
