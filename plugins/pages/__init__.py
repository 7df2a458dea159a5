"""The pages in Airflow's UI: ``report_app.py`` serves the reports, ``live_page.py`` the live page."""
