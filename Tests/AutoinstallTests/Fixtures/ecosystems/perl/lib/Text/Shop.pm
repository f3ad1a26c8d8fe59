package Text::Shop;
=head1 NAME
