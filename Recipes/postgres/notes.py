"""Notes over HTTP, kept in PostgreSQL: GET /notes lists them, POST /notes adds one."""

import http.server
import json
import os

import psycopg2


class Notes(http.server.BaseHTTPRequestHandler):
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path != "/notes":
            return self.answer(404, {"error": "no such page"})
        with database.cursor() as cursor:
            cursor.execute("select text from notes order by id")
            self.answer(200, [row[0] for row in cursor.fetchall()])

    def do_POST(self):
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with database.cursor() as cursor:
            cursor.execute("insert into notes (text) values (%s) returning id", (text,))
            self.answer(201, {"id": cursor.fetchone()[0]})

    def log_message(self, *_):
        pass


database = psycopg2.connect(dbname="postgres")
database.autocommit = True
with database.cursor() as cursor:
    cursor.execute("create table if not exists notes (id serial primary key, text text not null)")
http.server.HTTPServer(("127.0.0.1", int(os.environ["NOTES_PORT"])), Notes).serve_forever()
