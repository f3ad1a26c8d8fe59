<?php $k = getenv("MAILER_PASSWORD");
